import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Envelope, envelopeSchema, fromFields, parseEnvelope, toFields } from './envelope.ts'
import { mutated, outcomeOf } from './testing/mutated.ts'

const envelope: Envelope = {
  specversion: '1.0',
  id: '1',
  source: '/here',
  type: 'Said',
  subject: 'book',
  time: '2026-01-01T00:00:00Z',
  data: {},
}

test('messages are read from their entry as they were written', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' })
  const attributes = fc.record<Envelope>(
    {
      specversion: fc.constant('1.0'),
      id: text,
      source: text,
      type: text,
      subject: text,
      time: text,
      traceparent: text,
      authtype: text,
      authid: text,
      data: fc.dictionary(text.filter(isKept), fc.jsonValue().filter(isSameAsJson)) as fc.Arbitrary<
        Envelope['data']
      >,
    },
    { requiredKeys: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'data'] },
  )
  fc.assert(
    fc.property(fc.array(attributes, { minLength: 1 }), (them) => {
      expect(fromFields(toFields(them)).map((it) => parseEnvelope(it))).toEqual(them)
    }),
  )
})

/** zod leaves out a key that would change the prototype. */
const isKept = (key: string) => key !== '__proto__'

/** JSON has no negative zero. */
const isSameAsJson = (value: unknown) =>
  !JSON.stringify(value, (_, it) => (Object.is(it, -0) ? '-0' : it)).includes('"-0"')

describe('no entry is', () => {
  test.each<[string, string[]]>([
    ['nothing', []],
    ['a field without value', ['cloudevents']],
    ['a batch of nothing', toFields([])],
    ['what is no batch', ['cloudevents', JSON.stringify(envelope)]],
    ['what is no JSON', ['cloudevents', '[{']],
    ['something else', ['payload', '[{}]']],
    ['a name that every object inherits', ['__proto__', '[{}]']],
  ])('%s', (_, fields) => {
    expect(() => fromFields(fields)).toThrow()
  })
})

describe('no envelope is', () => {
  const { data: _, ...withoutData } = envelope
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['another version', { ...envelope, specversion: '2.0' }],
    ['one without data', withoutData],
    ['one with data that is no object', { ...envelope, data: [1] }],
    ['one with an empty subject', { ...envelope, subject: '' }],
  ])('%s', (_, message) => {
    expect(() => parseEnvelope(message)).toThrow()
  })
})

test('unknown attributes are left out', () => {
  expect(parseEnvelope({ ...envelope, partitionkey: 'x' })).toEqual(envelope)
})

test('a valid envelope is returned as it is', () => {
  for (const optional of [
    {},
    { traceparent: '00' },
    { authtype: 'app_user', authid: 'mina' },
    { sequence: '7', incarnation: 'b' },
  ]) {
    const message = { ...envelope, ...optional }
    expect(parseEnvelope(message)).toBe(message)
  }
})

test('the fast path accepts and refuses the same messages as the schema, with the same errors', () => {
  const full = {
    ...envelope,
    traceparent: '00',
    authtype: 'app_user',
    authid: 'mina',
    incarnation: 'b',
    sequence: '7',
  }
  fc.assert(
    fc.property(mutated(fc.constantFrom<object>(envelope, full)), (message) => {
      expect(outcomeOf(() => parseEnvelope(message))).toEqual(outcomeOf(() => envelopeSchema.parse(message)))
    }),
    { numRuns: 3_000 },
  )
})
