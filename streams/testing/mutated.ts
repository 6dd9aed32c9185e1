/** Messages with a few random changes that JSON can carry. */
import fc from 'fast-check'

type Message = Record<string, unknown>

/** Values similar to those of a message, and any others. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>(
    '',
    '1.0',
    '.',
    '..',
    'b c',
    'b',
    '책',
    'x'.repeat(128),
    'x'.repeat(129),
    true,
    false,
  ),
  fc.constantFrom<unknown>(0, -0, 1, -1, 0.5, 2 ** 53 - 1, 2 ** 53, 1e300, null, [], {}, ['b'], { b: 1 }),
  fc.uuid(),
  fc.uuid().map((it) => it.toUpperCase()),
  fc.constantFrom('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
  fc.string(),
  fc.jsonValue(),
)
const anyKey = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'data', 'type', 'first', 'reason'),
  fc.string(),
)

type Change = (message: Message, key: (keys: string[]) => string) => void
const change = fc.oneof<fc.Arbitrary<Change>[]>(
  fc
    .tuple(fc.nat({ max: 127 }), fc.constantFrom('', 'A', 'g', '0', ' ', '\n'))
    .map(([at, sign]) => (message, key) => {
      const name = key(Object.keys(message))
      set(message, name, nearby(message[name], at, sign))
    }),
  anyValue.map((value) => (message, key) => set(message, key(Object.keys(message)), value)),
  fc.constant((message, key) => delete message[key(Object.keys(message))]),
  fc.tuple(anyKey, anyValue).map(
    ([name, value]) =>
      (message) =>
        set(message, name, value),
  ),
)

/** @returns a text with one character changed, or in capitals up to there; a smaller number. */
function nearby(value: unknown, at: number, sign: string): unknown {
  if (typeof value === 'number') return value - (at % 5)
  if (typeof value !== 'string') return value
  const i = at % (value.length + 1)
  return at % 3 === 0
    ? value.slice(0, i).toUpperCase() + value.slice(i)
    : value.slice(0, i) + sign + value.slice(i + 1)
}

/** As in JSON.parse, which can even set a property named `__proto__`. */
const set = (message: Message, key: string, value: unknown) =>
  Object.defineProperty(message, key, { value, enumerable: true, configurable: true, writable: true })

/** @returns these messages with up to three changes each. */
export const mutated = (messages: fc.Arbitrary<object>): fc.Arbitrary<Message> =>
  fc.tuple(messages, fc.array(fc.tuple(change, fc.nat()), { maxLength: 3 })).map(([message, changes]) => {
    const copy = { ...message } as Message
    for (const [apply, n] of changes) apply(copy, (keys) => keys[n % keys.length] ?? 'none')
    return copy
  })

/** @returns what a function returns, or the error that it throws as text. */
export function outcomeOf(act: () => unknown): { returned: unknown } | { thrown: string } {
  try {
    return { returned: act() }
  } catch (error) {
    return { thrown: String(error) }
  }
}
