import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { step } from '../behavior.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type Book, unknownBook } from './book.ts'
import type { Hold } from './hold.ts'
import type { StockState } from './state.ts'
import { stock } from './stock.ts'

/** All that books without rules get. */
type Command = Extract<
  StockCommand,
  { type: 'ReceiveCopies' | 'OrderCopies' | 'ReserveCopy' | 'ReleaseCopy' }
>

const bookid = 'b'
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const who = (n: number) => ({ reservationid: uuid(n), userid: `user-${n}` })
const reserve = (n = 1): Command => ({ type: 'ReserveCopy', bookid, ...who(n) })
const release = (n = 1): Command => ({ type: 'ReleaseCopy', bookid, ...who(n) })
const receive = (n: number, qty: number, more: object = {}): Command => ({
  type: 'ReceiveCopies',
  bookid,
  commandid: uuid(n),
  qty,
  ...more,
})
const order = (n: number, qty: number): Command => ({
  type: 'OrderCopies',
  bookid,
  commandid: uuid(n),
  purchaseid: uuid(n + 500),
  qty,
})

/** A book that was received, with 2 copies available and 1 held. */
const book = (change: Partial<Book> = {}): Book => ({
  ...unknownBook(bookid),
  title: 'T',
  author: 'A',
  isbn: 'I',
  available: 2,
  held: 1,
  version: 7,
  received: true,
  ...change,
})
const known = (hold?: Hold, change: Partial<Book> = {}): StockState => ({
  ...stock.initial(bookid),
  reservationid: uuid(1),
  book: book(change),
  hold,
})
const unknown = (hold?: Hold): StockState => ({ ...stock.initial(bookid), reservationid: uuid(1), hold })
const figures = (version: number, available: number, held: number) => ({ bookid, version, available, held })

const first = { first: true } as const

const none = { available: 0 }
const refused = { status: 'refused', reason: 'OutOfStock' } as const

type Row = [
  name: string,
  given: StockState,
  when: Command,
  then: StockEvent[],
  book: Partial<Book>,
  hold?: Hold,
]

describe('a book', () => {
  test.each<Row>([
    [
      'holds an available copy for a reservation',
      known(),
      reserve(),
      [{ type: 'CopyReserved', ...figures(8, 1, 2), ...who(1), ...first }],
      { available: 1, held: 2, version: 8 },
      { status: 'held' },
    ],
    [
      'holds its last copy for a reservation',
      known(undefined, { available: 1 }),
      reserve(),
      [{ type: 'CopyReserved', ...figures(8, 0, 2), ...who(1), ...first }],
      { available: 0, held: 2, version: 8 },
      { status: 'held' },
    ],
    [
      'refuses when no copy is available, and requests a purchase',
      known(undefined, none),
      reserve(),
      [
        { type: 'ReservationRefused', ...figures(7, 0, 1), ...who(1), reason: 'OutOfStock', ...first },
        { type: 'PurchaseRequested', ...figures(7, 0, 1), shortage: 1 },
      ],
      { version: 7, shortage: 1, requested: true },
      refused,
    ],
    [
      'requests a purchase once, and counts later refusals',
      known(undefined, { ...none, requested: true, shortage: 4 }),
      reserve(),
      [{ type: 'ReservationRefused', ...figures(7, 0, 1), ...who(1), reason: 'OutOfStock', ...first }],
      { version: 7, shortage: 5, requested: true },
      refused,
    ],
    [
      'that was never received refuses with UnknownBook, and requests a purchase',
      unknown(),
      reserve(),
      [
        { type: 'ReservationRefused', ...figures(0, 0, 0), ...who(1), reason: 'UnknownBook', ...first },
        { type: 'PurchaseRequested', ...figures(0, 0, 0), shortage: 1 },
      ],
      { version: 0, shortage: 1, requested: true, received: false },
      { status: 'refused', reason: 'UnknownBook' },
    ],
    [
      'repeats that it holds a copy, though none is left',
      known({ status: 'held' }, none),
      reserve(),
      [{ type: 'CopyReserved', ...figures(7, 0, 1), ...who(1) }],
      { available: 0, held: 1, version: 7 },
      { status: 'held' },
    ],
    [
      'repeats its refusal, though copies have arrived since, and counts it once',
      known(refused, { available: 5, shortage: 3, requested: true }),
      reserve(),
      [{ type: 'ReservationRefused', ...figures(7, 5, 1), ...who(1), reason: 'OutOfStock' }],
      { available: 5, version: 7, shortage: 3, requested: true },
      refused,
    ],
    [
      'holds no copy for a reservation whose release arrived first',
      known({ status: 'released' }),
      reserve(),
      [{ type: 'CopyReleased', ...figures(7, 2, 1), ...who(1) }],
      { available: 2, held: 1, version: 7 },
      { status: 'released' },
    ],
    [
      'releases a held copy',
      known({ status: 'held' }),
      release(),
      [{ type: 'CopyReleased', ...figures(8, 3, 0), ...who(1), ...first }],
      { available: 3, held: 0, version: 8 },
      { status: 'released' },
    ],
    [
      'releases a copy once',
      known({ status: 'released' }),
      release(),
      [{ type: 'CopyReleased', ...figures(7, 2, 1), ...who(1) }],
      { available: 2, held: 1, version: 7 },
      { status: 'released' },
    ],
    [
      'closes a refused reservation without releasing a copy',
      known(refused, { ...none, shortage: 2, requested: true }),
      release(),
      [{ type: 'CopyReleased', ...figures(7, 0, 1), ...who(1), ...first }],
      { available: 0, held: 1, version: 7, shortage: 2, requested: true },
      { status: 'released' },
    ],
    [
      'remembers a release that arrives before its reservation',
      known(),
      release(),
      [{ type: 'CopyReleased', ...figures(7, 2, 1), ...who(1), ...first }],
      { available: 2, held: 1, version: 7 },
      { status: 'released' },
    ],
    [
      'remembers a release even before its first receipt',
      unknown(),
      release(),
      [{ type: 'CopyReleased', ...figures(0, 0, 0), ...who(1), ...first }],
      { received: false, version: 0 },
      { status: 'released' },
    ],
    [
      'is known after its first receipt',
      unknown(),
      receive(1, 3, { title: 'T' }),
      [{ type: 'CopiesReceived', ...figures(1, 3, 0), qty: 3, title: 'T', author: '', isbn: '' }],
      { available: 3, version: 1, received: true, title: 'T', author: '' },
    ],
    [
      'adds a receipt to its copies, and keeps details that the receipt omits',
      known(),
      receive(1, 5, { author: 'B' }),
      [{ type: 'CopiesReceived', ...figures(8, 7, 1), qty: 5, title: 'T', author: 'B', isbn: 'I' }],
      { available: 7, held: 1, version: 8, title: 'T', author: 'B', isbn: 'I' },
    ],
    [
      'closes its purchase request when copies arrive',
      known(undefined, { ...none, shortage: 3, requested: true }),
      receive(1, 1, { purchaseid: uuid(9) }),
      [
        {
          type: 'CopiesReceived',
          ...figures(8, 1, 1),
          qty: 1,
          title: 'T',
          author: 'A',
          isbn: 'I',
          purchaseid: uuid(9),
        },
      ],
      { available: 1, shortage: 0, requested: false },
    ],
    [
      'keeps its purchase request open when a receipt has no copies',
      known(undefined, { ...none, shortage: 3, requested: true }),
      receive(1, 0),
      [{ type: 'CopiesReceived', ...figures(8, 0, 1), qty: 0, title: 'T', author: 'A', isbn: 'I' }],
      { available: 0, shortage: 3, requested: true, received: true },
    ],
    [
      'closes its purchase request when copies are ordered, before they arrive',
      known(undefined, { ...none, shortage: 3, requested: true }),
      order(1, 10),
      [{ type: 'CopiesOrdered', ...figures(7, 0, 1), purchaseid: uuid(501), qty: 10 }],
      { available: 0, version: 7, shortage: 0, requested: false },
    ],
    [
      'counts a repeated receipt once',
      { ...known(), handled: true },
      receive(1, 5),
      [],
      { available: 2, version: 7 },
    ],
    ['counts a repeated order once', { ...known(), handled: true }, order(1, 5), [], { version: 7 }],
  ])('%s', (_, given, when, then, changed, hold) => {
    const taken = step(stock, given, when)
    expect(taken.events).toEqual(then)
    expect(taken.state.book).toMatchObject(changed)
    expect(taken.state.hold).toEqual(hold)
    if ('commandid' in when) expect(taken.state.handled).toBe(true)
  })
})

/** Messages about one book in any order, with repeats. */
const messages = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.nat(6).map(reserve) },
    { weight: 4, arbitrary: fc.nat(6).map(release) },
    { weight: 2, arbitrary: fc.tuple(fc.nat(4), fc.nat(3)).map(([n, qty]) => receive(n, qty)) },
    { weight: 1, arbitrary: fc.nat(3).map((n) => order(n + 100, 2)) },
  ),
  { maxLength: 60, size: 'max' },
)

/** The actor of one book, with the state that the store keeps for it. */
class BookActor {
  book = unknownBook(bookid)
  readonly holds = new Map<string, Hold>()
  readonly handled = new Set<string>()

  take(message: Command): StockEvent[] {
    const id = 'reservationid' in message ? message.reservationid : message.commandid
    const state = {
      ...stock.initial(bookid),
      book: this.book,
      reservationid: id,
      hold: this.holds.get(id),
      handled: this.handled.has(id),
    }
    const taken = step(stock, state, message)
    this.book = taken.state.book
    if ('reservationid' in message) this.holds.set(id, taken.state.hold!)
    else this.handled.add(id)
    return taken.events
  }
}

const outcomes = ['CopyReserved', 'ReservationRefused', 'CopyReleased']

test('in any order of messages, no copy is lost, created or promised twice', () => {
  // A failure prints its seed and the shortest sequence of messages.
  fc.assert(
    fc.property(messages, (sequence) => {
      const actor = new BookActor()
      const received = new Map<string, number>()
      const decided = new Map<string, string>()
      const given = new Map<string, number>()
      const published: StockEvent[] = []
      for (const message of sequence) {
        const before = actor.book
        const events = actor.take(message)
        published.push(...events)
        const { available, held, version } = actor.book
        if (message.type === 'ReceiveCopies' && !received.has(message.commandid))
          received.set(message.commandid, message.qty)

        expect(available + held).toBe([...received.values()].reduce((sum, qty) => sum + qty, 0))
        expect(Math.min(available, held)).toBeGreaterThanOrEqual(0)
        expect(held).toBe([...actor.holds.values()].filter((it) => it.status === 'held').length)
        expect(version).toBeGreaterThanOrEqual(before.version)
        if (version === before.version) expect([available, held]).toEqual([before.available, before.held])

        if (!('reservationid' in message)) continue
        // Every command gets exactly one answer.
        const answers = events.filter((it) => outcomes.includes(it.type))
        expect(answers).toHaveLength(1)
        const answer = answers[0]!
        const { reservationid } = message
        if (before.held - held === 1) given.set(reservationid, (given.get(reservationid) ?? 0) + 1)
        const first = decided.get(reservationid)
        // A held or refused reservation stays so until it is released; a released one stays released.
        if (first) expect([first, 'CopyReleased']).toContain(answer.type)
        if (message.type === 'ReleaseCopy') expect(answer.type).toBe('CopyReleased')
        decided.set(reservationid, answer.type)
      }
      for (const times of given.values()) expect(times).toBe(1)
      for (const event of published) {
        expect(event.available + event.held).toBeLessThanOrEqual(actor.book.available + actor.book.held)
        expect(event.version).toBeLessThanOrEqual(actor.book.version)
      }
    }),
    { numRuns: 500 },
  )
})

test('an answer is marked first exactly if no earlier event gave it to the reservation', () => {
  fc.assert(
    fc.property(messages, (sequence) => {
      const actor = new BookActor()
      const given = new Set<string>()
      for (const event of sequence.flatMap((message) => actor.take(message))) {
        if (!('reservationid' in event)) continue
        const { type, reservationid } = event
        const first = 'first' in event && event.first
        expect(first === true).toBe(!given.has(`${type} ${reservationid}`))
        // A first outcome never follows the reservation's release.
        if (first && type !== 'CopyReleased') expect(given).not.toContain(`CopyReleased ${reservationid}`)
        given.add(`${type} ${reservationid}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('a repeated message has no second effect', () => {
  fc.assert(
    fc.property(messages, fc.nat(5), (sequence, repeats) => {
      const [once, repeated] = [new BookActor(), new BookActor()]
      for (const message of sequence) {
        once.take(message)
        for (let i = 0; i <= repeats; i++) repeated.take(message)
      }
      expect(repeated.book).toEqual(once.book)
      expect(repeated.holds).toEqual(once.holds)
    }),
    { numRuns: 200 },
  )
})

test('deciding is pure: the same input gives the same events, and is not changed', () => {
  fc.assert(
    fc.property(messages, (sequence) => {
      const actor = new BookActor()
      for (const message of sequence) {
        const state = Object.freeze({ ...stock.initial(bookid), book: Object.freeze(actor.book) })
        expect(stock.decide(Object.freeze(message), state)).toEqual(stock.decide(message, state))
        actor.take(message)
      }
    }),
    { numRuns: 100 },
  )
})
