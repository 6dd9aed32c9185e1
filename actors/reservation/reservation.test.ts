import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StockEvent } from '../messages.ts'
import { listingsOf } from './books.ts'
import {
  active,
  isFinal,
  laterMoves,
  leadingTo,
  moves,
  open,
  requestable,
  type Status,
  statuses,
  transitions,
  unconfirmed,
  undecided,
} from './reservation.ts'
import { after as afterOne, anyEvent, inBatches, type Row as ReservationRow, rowIn } from './testing.ts'
import { isPlain, type ShortVerdict, shortVerdictsOf, verdictsOf } from './verdict.ts'

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const after = (version = 1) => ({ bookid: 'b', version, available: 10 - version, held: version })
const who = (n: number) => ({ reservationid: uuid(n), userid: 'u' })
const reserved = (n: number, version = 1): StockEvent => ({
  type: 'CopyReserved',
  ...after(version),
  ...who(n),
})
const refused = (n: number): StockEvent => ({
  type: 'ReservationRefused',
  ...after(),
  ...who(n),
  reason: 'OutOfStock',
})
const released = (n: number, version = 1): StockEvent => ({
  type: 'CopyReleased',
  ...after(version),
  ...who(n),
})
const received = (version: number, title: string): StockEvent => ({
  type: 'CopiesReceived',
  ...after(version),
  qty: 1,
  title,
  author: 'A',
  isbn: 'I',
})
const requested: StockEvent = { type: 'PurchaseRequested', ...after(), shortage: 1 }

test('statuses and what they allow derive from the transitions', () => {
  const changeable = Object.fromEntries(requestable.map((it) => [it, leadingTo(it)]))
  expect({ statuses, undecided, open, changeable, unconfirmed, final: statuses.filter(isFinal) }).toEqual({
    statuses: [
      'Requested',
      'Waiting',
      'Reserved',
      'Ready',
      'Collected',
      'Returned',
      'Failed',
      'Canceled',
      'Expired',
    ],
    undecided: ['Requested'],
    open: ['Requested', 'Waiting'],
    changeable: { Canceled: ['Requested', 'Waiting', 'Reserved', 'Ready'] },
    unconfirmed: ['Requested', 'Canceled'],
    final: ['Collected', 'Returned', 'Failed', 'Canceled', 'Expired'],
  })
  expect(active).toEqual(changeable.Canceled)
})

test('an event moves a reservation along the transitions', () => {
  const reachable = (from: Status, to: Status, seen: Status[] = []): boolean =>
    transitions[from].some(
      (next) => next === to || (!seen.includes(next) && reachable(next, to, [...seen, from])),
    )
  for (const its of [...Object.values(moves), ...Object.values(laterMoves)])
    for (const [from, to] of Object.entries(its) as [Status, Status][])
      expect(from === to || reachable(from, to), `${from} to ${to}`).toBe(true)
  for (const its of [moves.CopyReserved, moves.ReservationRefused]) expect(Object.keys(its)).toEqual(open)
})

test('an event after the first answer is true also if events before it are dead letters', () => {
  const its = { ...after(), ...who(1) }
  const pickupBy = '2026-12-01T09:00:00.000Z'
  const events: [StockEvent, Status][] = [
    [{ type: 'CopyShelved', ...its, pickupBy }, 'Ready'],
    [{ type: 'PickupExtended', ...its, pickupBy }, 'Ready'],
    [{ type: 'CopyTakenBack', ...its, place: 1, cause: 'Lost', turn: 2 }, 'Waiting'],
    [{ type: 'CopyReserved', ...its, place: 1, waited: true, turn: 2 }, 'Reserved'],
    [{ type: 'CopyHandedOver', ...its }, 'Collected'],
    [{ type: 'CopyReturned', ...its }, 'Returned'],
    [{ type: 'HoldExpired', ...its }, 'Expired'],
    [{ type: 'ReservationRefused', ...its, reason: 'WaitLapsed', place: 1 }, 'Failed'],
    [{ type: 'ReservationRefused', ...its, reason: 'CopyWithdrawn' }, 'Failed'],
  ]
  for (const [event, to] of events) {
    const { becomes } = verdictsOf([event])[0]!
    expect(active.map((from) => [from, becomes[from]?.status])).toEqual(active.map((from) => [from, to]))
  }
})

const verdict = (n: number, it: Partial<ShortVerdict> = {}): ShortVerdict => ({
  reservationid: uuid(n),
  bookid: 'b',
  status: null,
  reason: null,
  released: false,
  ...it,
})

test.each<[string, StockEvent[], ShortVerdict[]]>([
  ['events about no reservation', [requested, received(1, 'T')], []],
  ['a reserved copy', [reserved(1)], [verdict(1, { status: 'Reserved' })]],
  [
    'a refusal, which confirms no cancellation',
    [refused(1)],
    [verdict(1, { status: 'Failed', reason: 'OutOfStock' })],
  ],
  ['a release alone is no outcome', [released(1)], [verdict(1, { released: true })]],
  [
    'reserved and released in one batch',
    [reserved(1), released(1)],
    [verdict(1, { status: 'Reserved', released: true })],
  ],
  ['a repeated answer', [reserved(1), reserved(1)], [verdict(1, { status: 'Reserved' })]],
  [
    'several reservations of one book',
    [reserved(1), refused(2), reserved(3), released(3)],
    [
      verdict(1, { status: 'Reserved' }),
      verdict(2, { status: 'Failed', reason: 'OutOfStock' }),
      verdict(3, { status: 'Reserved', released: true }),
    ],
  ],
])('a short verdict merges the plain events about one reservation: %s', (_, events, verdicts) => {
  expect(shortVerdictsOf(events)).toEqual(verdicts)
})

test('a verdict composes the events about one reservation, in their order', () => {
  const its = { ...after(), ...who(1) }
  const pickupBy = '2026-12-01T09:00:00.000Z'
  const events: StockEvent[] = [
    { type: 'CopyReserved', ...its, place: 7, waited: true },
    { type: 'CopyShelved', ...its, pickupBy },
  ]
  const shelved = { status: 'Ready', pickup_by: pickupBy }
  const ready = { ...shelved, place: 7 }
  expect(verdictsOf(events)).toEqual([
    {
      reservationid: uuid(1),
      bookid: 'b',
      becomes: { Requested: ready, Waiting: ready, Reserved: shelved, Ready: shelved },
    },
  ])
})

/** A model of the statements that apply verdicts. */
function judge(row: ReservationRow, events: StockEvent[]): ReservationRow {
  if (!events.every(isPlain)) return { ...row, ...verdictsOf(events)[0]?.becomes[row.status] }
  const [it] = shortVerdictsOf(events)
  if (!it?.status || !open.includes(row.status)) return row
  return { ...row, status: it.status, reason: it.reason ?? row.reason }
}

test('verdicts on any batching of events lead to where the events lead one by one, from every status', () => {
  const events = fc.array(anyEvent({ ...who(1), bookid: 'b' }), { maxLength: 12 })
  fc.assert(
    fc.property(events, fc.array(fc.integer({ min: 1, max: 5 })), (events, sizes) => {
      for (const status of statuses) {
        const judged = inBatches(events, sizes).reduce(judge, rowIn(status))
        expect(judged).toEqual(events.reduce(afterOne, rowIn(status)))
      }
    }),
    { numRuns: 1_000 },
  )
})

const none = { out: 0, waiting: 0 }

test('a listing has the counts of the highest version, and the details of the last receipt', () => {
  expect(
    listingsOf([received(1, 'old'), received(3, 'new'), reserved(1, 2), { ...reserved(9, 4), bookid: 'c' }]),
  ).toEqual([
    {
      bookid: 'b',
      about: { title: 'new', author: 'A', isbn: 'I' },
      ...none,
      available: 7,
      held: 3,
      version: 3,
    },
    { bookid: 'c', about: undefined, ...none, available: 6, held: 4, version: 4 },
  ])
})

type Row = { title: string; available: number; held: number; version: number }

/** A model of the statements in `books.ts`. */
function apply(table: Map<string, Row>, events: StockEvent[]): void {
  for (const { bookid, about, available, held, version } of listingsOf(events)) {
    const row = table.get(bookid)
    if (row && row.version >= version) continue
    if (about) table.set(bookid, { title: about.title, available, held, version })
    else if (row) table.set(bookid, { ...row, available, held, version })
  }
}

/** Events of some books in stream order: versions increase, and some events change nothing. */
const history = fc
  .array(fc.record({ book: fc.nat(2), kind: fc.nat(3), n: fc.nat(5) }), { maxLength: 40 })
  .map((steps) => {
    const versions = new Map<number, number>()
    return steps.map(({ book, kind, n }): StockEvent => {
      const known = versions.get(book) ?? 0
      const first = known === 0
      const changes = first || kind !== 3
      const version = changes ? known + 1 : known
      versions.set(book, version)
      const event =
        first || kind === 0
          ? received(version, `title ${version}`)
          : kind === 3
            ? refused(n)
            : reserved(n, version)
      return { ...event, ...after(version), bookid: `book-${book}` }
    })
  })

test('any batching of the same events gives the same book list', () => {
  fc.assert(
    fc.property(history, fc.array(fc.integer({ min: 1, max: 7 })), (events, sizes) => {
      const [atOnce, inBatches, oneByOne] = [new Map(), new Map(), new Map()] as Map<string, Row>[]
      apply(atOnce!, events)
      for (const event of events) apply(oneByOne!, [event])
      let from = 0
      for (const size of [...sizes, events.length]) {
        apply(inBatches!, events.slice(from, from + size))
        from += size
      }
      expect(atOnce).toEqual(oneByOne)
      expect(inBatches).toEqual(oneByOne)
    }),
    { numRuns: 300 },
  )
})

test('rereading events changes nothing: the book list never goes back', () => {
  fc.assert(
    fc.property(history, fc.nat(40), fc.nat(40), (events, from, length) => {
      const [once, again] = [new Map(), new Map()] as Map<string, Row>[]
      apply(once!, events)
      apply(again!, events)
      apply(again!, events.slice(from, from + length))
      expect(again).toEqual(once)
    }),
    { numRuns: 200 },
  )
})

test('the diagram in docs/http.md shows every transition', () => {
  const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')
  const arrows = Array.from(page.matchAll(/^ {2}(\w+ --> \w+) :/gm), ([, arrow]) => arrow)
  const all = statuses.flatMap((from) => transitions[from].map((to) => `${from} --> ${to}`))
  expect(arrows.sort()).toEqual(all.sort())
})
