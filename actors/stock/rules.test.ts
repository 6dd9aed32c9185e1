/** A book with rules, as given, when, then. */
import { expect, test } from 'vitest'
import type { StockCommand, StockEvent } from '../messages.ts'
import { presets, type Rules } from './rules.ts'
import type { StockState } from './state.ts'
import { stock } from './stock.ts'
import { BookActor, bookid, instants, uuid } from './testing.ts'

const [before, deadline, later] = instants
const { library, bookshop, original } = presets
const who = (n: number) => ({ reservationid: uuid(1, n), userid: `user-${n}` })
let commands = 0
const byStaff = <Type extends string>(type: Type) => ({ type, bookid, commandid: uuid(2, ++commands) })
const reserve = (n: number, more = {}): StockCommand => ({ type: 'ReserveCopy', bookid, ...who(n), ...more })
const release = (n: number, more = {}): StockCommand => ({ type: 'ReleaseCopy', bookid, ...who(n), ...more })
const receive = (qty: number, more = {}): StockCommand => ({ ...byStaff('ReceiveCopies'), qty, ...more })
const order = (qty: number): StockCommand => ({ ...byStaff('OrderCopies'), purchaseid: uuid(3, 1), qty })
const shelve = (n: number): StockCommand => ({ ...byStaff('ShelveCopy'), reservationid: uuid(1, n) })
const handOver = (n: number, more = {}): StockCommand => ({
  ...byStaff('HandOverCopy'),
  reservationid: uuid(1, n),
  ...more,
})
const giveBack = (n: number): StockCommand => ({ ...byStaff('ReturnCopy'), reservationid: uuid(1, n) })
const extend = (n: number, pickupBy: string): StockCommand => ({
  ...byStaff('ExtendPickup'),
  reservationid: uuid(1, n),
  pickupBy,
})
const withdraw = (qty: number, more = {}): StockCommand => ({
  ...byStaff('WithdrawCopies'),
  qty,
  reason: 'Lost',
  ...more,
})
const lose = (n: number) => withdraw(1, { reservationid: uuid(1, n) })
const expire = (n: number, at: string): StockCommand => ({
  type: 'ExpireHold',
  bookid,
  reservationid: uuid(1, n),
  at,
})
const lapse = (n: number, at: string): StockCommand => ({
  type: 'LapseWait',
  bookid,
  reservationid: uuid(1, n),
  at,
})
const tend: StockCommand = { type: 'TendQueue', bookid }
const decline = (): StockCommand => byStaff('DeclinePurchase')
const changeRules = (rules: Partial<Rules>): StockCommand => ({ ...byStaff('ChangeRules'), rules })

/** `Type n, what else it says: available/held/out/waiting`. */
function inShort(event: StockEvent): string {
  const { available, held, out = 0, waiting = 0 } = event
  const id = 'reservationid' in event ? ` ${Number(event.reservationid.slice(-12))}` : ''
  const facts = [
    'reason' in event && event.reason,
    'pickupBy' in event && event.pickupBy,
    'turn' in event && event.turn && `turn ${event.turn}`,
    'position' in event && event.position && `position ${event.position}`,
    'other' in event && event.other && `other ${Number(event.other.slice(-12))}`,
    event.type === 'PurchaseRequested' && `shortage ${event.shortage}`,
    'first' in event || !('reservationid' in event) || event.type === 'PickupExtended' ? false : 'again',
  ].filter(Boolean)
  return `${event.type}${id}${facts.map((it) => `, ${it}`).join('')}: ${available}/${held}/${out}/${waiting}`
}

/** Two copies, held for 1 and 2; 3, 4 and 5 wait. */
const rush = () => [receive(2), ...[1, 2, 3, 4, 5].map((n) => reserve(n))]
const atOnce = { ...library, pullStep: false }

type Row = [name: string, rules: Rules, given: StockCommand[], when: StockCommand[], then: string[]]

const rows: Row[] = [
  [
    'a copy that is there is reserved, and waits to be pulled',
    library,
    [receive(1)],
    [reserve(1)],
    ['CopyReserved 1: 0/1/0/0'],
  ],
  [
    'without the step of pulling it is on the hold shelf at once',
    atOnce,
    [receive(1)],
    [reserve(1)],
    ['CopyReserved 1: 0/1/0/0', `CopyShelved 1, ${deadline}: 0/1/0/0`],
  ],
  [
    'without a copy the customer waits, and the first who waits asks the purchaser',
    library,
    [receive(1), reserve(1)],
    [reserve(2), reserve(3)],
    [
      'ReservationQueued 2, position 1: 0/1/0/1',
      'PurchaseRequested, shortage 0: 0/1/0/1',
      'ReservationQueued 3, position 2: 0/1/0/2',
    ],
  ],
  [
    'a customer who does not want to wait is refused',
    library,
    [receive(1), reserve(1)],
    [reserve(2, { wait: false })],
    ['ReservationRefused 2, OutOfStock: 0/1/0/0', 'PurchaseRequested, shortage 1: 0/1/0/0'],
  ],
  [
    'a full queue refuses',
    { ...library, queueMax: 3 },
    rush(),
    [reserve(6)],
    ['ReservationRefused 6, QueueFull: 0/2/0/3'],
  ],
  [
    'an empty queue is not full: without any copy a newcomer is refused because there is none',
    library,
    [receive(1), withdraw(1)],
    [reserve(1)],
    ['ReservationRefused 1, OutOfStock: 0/0/0/0', 'PurchaseRequested, shortage 1: 0/0/0/0'],
  ],
  [
    'the queue is full with so many per copy, and copies on order count',
    { ...library, queuePerCopy: 1 },
    [receive(1), reserve(1), reserve(2)],
    [reserve(3), order(1), reserve(4)],
    [
      'ReservationRefused 3, QueueFull: 0/1/0/1',
      'CopiesOrdered: 0/1/0/1',
      'ReservationQueued 4, position 2: 0/1/0/2',
      'PurchaseRequested, shortage 0: 0/1/0/2',
    ],
  ],
  [
    'a book that was never here is refused, unless it is on order',
    library,
    [],
    [reserve(1), order(1), reserve(2)],
    [
      'ReservationRefused 1, UnknownBook: 0/0/0/0',
      'PurchaseRequested, shortage 1: 0/0/0/0',
      'CopiesOrdered: 0/0/0/0',
      'ReservationQueued 2, position 1: 0/0/0/1',
    ],
  ],
  [
    'a cancellation in the queue changes no other place',
    library,
    rush(),
    [release(4), release(1)],
    ['CopyReleased 4: 0/2/0/2', 'CopyReleased 1: 1/1/0/2', 'CopyReserved 3: 0/2/0/1'],
  ],
  [
    'a copy that is released goes to the next, who then cancels',
    library,
    rush(),
    [release(1), release(3)],
    [
      'CopyReleased 1: 1/1/0/3',
      'CopyReserved 3: 0/2/0/2',
      'CopyReleased 3: 1/1/0/2',
      'CopyReserved 4: 0/2/0/1',
    ],
  ],
  [
    'a receipt serves those who wait first; the rest is available',
    library,
    rush(),
    [receive(4)],
    [
      'CopiesReceived: 4/2/0/3',
      'CopyReserved 3: 3/3/0/2',
      'CopyReserved 4: 2/4/0/1',
      'CopyReserved 5: 1/5/0/0',
    ],
  ],
  [
    'ordered three, three wait, one arrives: one is served, two are on order, and one more who waits asks again',
    { ...library, queuePerCopy: null },
    [...rush(), order(3)],
    [receive(1, { purchaseid: uuid(3, 1) }), reserve(6)],
    [
      'CopiesReceived: 1/2/0/3',
      'CopyReserved 3: 0/3/0/2',
      'ReservationQueued 6, position 3: 0/3/0/3',
      'PurchaseRequested, shortage 0: 0/3/0/3',
    ],
  ],
  [
    'ordered two, three wait, one arrives: the purchaser is asked again at once, for the one without a copy',
    { ...library, queuePerCopy: null },
    [...rush(), order(2)],
    [receive(1, { purchaseid: uuid(3, 1) }), receive(0, { title: 'Momo' })],
    [
      'CopiesReceived: 1/2/0/3',
      'CopyReserved 3: 0/3/0/2',
      'PurchaseRequested, shortage 0: 0/3/0/2',
      'CopiesReceived: 0/3/0/2',
    ],
  ],
  [
    'a copy is shelved once, with a deadline',
    library,
    rush(),
    [shelve(1), shelve(1), shelve(3)],
    [`CopyShelved 1, ${deadline}: 0/2/0/3`, 'CommandRefused, NotHeld: 0/2/0/3'],
  ],
  [
    'a hand-over before the deadline message counts, although it is late',
    library,
    [...rush(), shelve(1)],
    [handOver(1), expire(1, later)],
    ['CopyHandedOver 1: 0/1/1/3'],
  ],
  [
    'an expired copy is the next one’s, and the desk is refused',
    library,
    [...rush(), shelve(1)],
    [expire(1, deadline), handOver(1)],
    ['HoldExpired 1: 1/1/0/3', 'CopyReserved 3: 0/2/0/2', 'CommandRefused, NotHeld: 0/2/0/2'],
  ],
  ['a copy that was not put on the hold shelf does not expire', library, rush(), [expire(1, later)], []],
  [
    'a deadline that has not passed does not expire',
    library,
    [...rush(), shelve(1)],
    [expire(1, before)],
    [],
  ],
  [
    'an extension that came before the message of the clock holds',
    library,
    [...rush(), shelve(1)],
    [extend(1, later), expire(1, deadline), extend(1, later)],
    [`PickupExtended 1, ${later}: 0/2/0/3`],
  ],
  [
    'only what is on the hold shelf can be extended',
    library,
    rush(),
    [extend(1, later), extend(3, later)],
    ['CommandRefused, NotReady: 0/2/0/3', 'CommandRefused, NotHeld: 0/2/0/3'],
  ],
  [
    'a copy is handed over to its customer only, and once',
    library,
    rush(),
    [handOver(1, { userid: 'user-2' }), handOver(1, { userid: 'user-1' }), handOver(1)],
    ['CommandRefused, OtherCustomer: 0/2/0/3', 'CopyHandedOver 1: 0/1/1/3'],
  ],
  [
    'a cancellation after the hand-over comes too late',
    library,
    [...rush(), handOver(1)],
    [release(1)],
    ['CopyHandedOver 1, again: 0/1/1/3'],
  ],
  [
    'a cancellation before the hand-over holds, and the desk is refused',
    library,
    [receive(1), reserve(1), release(1)],
    [handOver(1)],
    ['CommandRefused, NotHeld: 1/0/0/0'],
  ],
  [
    'a cancellation and an expiry together give one copy back, and the first of them is the end',
    library,
    [receive(2), reserve(1), shelve(1), reserve(2), shelve(2)],
    [expire(1, deadline), release(1), release(2), expire(2, deadline)],
    ['HoldExpired 1: 1/1/0/0', 'HoldExpired 1, again: 1/1/0/0', 'CopyReleased 2: 2/0/0/0'],
  ],
  [
    'a copy that is returned goes to the next',
    library,
    [...rush(), handOver(1)],
    [giveBack(1), giveBack(1), giveBack(2)],
    ['CopyReturned 1: 1/1/0/3', 'CopyReserved 3: 0/2/0/2', 'CommandRefused, NotOut: 0/2/0/2'],
  ],
  [
    'a copy that was sold does not come back',
    bookshop,
    [receive(1), reserve(1), handOver(1)],
    [giveBack(1)],
    ['CommandRefused, NotLent: 0/0/1/0'],
  ],
  [
    'a copy that was lent comes back, though the book is not lent any more',
    library,
    [receive(2), reserve(1), handOver(1), changeRules({ lend: false }), reserve(2), handOver(2)],
    [giveBack(1), giveBack(2)],
    ['CopyReturned 1: 1/0/1/0', 'CommandRefused, NotLent: 1/0/1/0'],
  ],
  [
    'a copy that cannot be found: its customer waits again, first in line',
    library,
    rush(),
    [lose(1), release(2)],
    [
      'CopyTakenBack 1, turn 2, again: 1/1/0/4',
      'CopiesWithdrawn, Lost: 0/1/0/4',
      'CopyReleased 2: 1/0/0/4',
      'CopyReserved 1, turn 2: 0/1/0/3',
    ],
  ],
  [
    'of a book without a queue the reservation fails',
    { ...original, pickupDays: 3 },
    [receive(1), reserve(1)],
    [lose(1)],
    ['ReservationRefused 1, CopyWithdrawn: 1/0/0/0', 'CopiesWithdrawn, Lost: 0/0/0/0'],
  ],
  [
    'of a book that had no queue when it was reserved, the reservation takes a place once it has one',
    original,
    [receive(2), reserve(1), reserve(2), changeRules(library), reserve(3), reserve(4)],
    [lose(1), withdraw(1, { evenHeld: true }), receive(4)],
    [
      'CopyTakenBack 1, turn 2, again: 1/1/0/3',
      'CopiesWithdrawn, Lost: 0/1/0/3',
      'CopyTakenBack 2, turn 2, again: 1/0/0/4',
      'CopiesWithdrawn, Lost: 0/0/0/4',
      'CopiesReceived: 4/0/0/4',
      'CopyReserved 3: 3/1/0/3',
      'CopyReserved 4: 2/2/0/2',
      'CopyReserved 1, turn 2: 1/3/0/1',
      'CopyReserved 2, turn 2: 0/4/0/0',
    ],
  ],
  [
    'more is withdrawn than is available: refused',
    library,
    [...rush(), release(5)],
    [withdraw(1)],
    ['CommandRefused, CopiesHeld: 0/2/0/2'],
  ],
  [
    'or taken from those served last, first from those not on the hold shelf',
    library,
    [receive(3), reserve(1), reserve(2), reserve(3), shelve(3)],
    [withdraw(2, { evenHeld: true })],
    [
      'CopyTakenBack 2, turn 2, again: 1/2/0/1',
      'CopyTakenBack 1, turn 2, again: 2/1/0/2',
      'CopiesWithdrawn, Lost: 0/1/0/2',
      'PurchaseRequested, shortage 0: 0/1/0/2',
    ],
  ],
  [
    'a purchase request ends when no customer wants the copies any more, and the next who waits makes a new one',
    { ...library, queuePerCopy: null },
    [receive(2), reserve(1), reserve(2), reserve(3)],
    [
      release(3),
      decline(),
      reserve(4),
      lapse(4, later),
      decline(),
      reserve(5),
      order(1),
      reserve(6),
      release(1),
    ],
    [
      'CopyReleased 3: 0/2/0/0',
      'CommandRefused, NothingRequested: 0/2/0/0',
      'ReservationQueued 4, position 1: 0/2/0/1',
      'PurchaseRequested, shortage 0: 0/2/0/1',
      'ReservationRefused 4, WaitLapsed: 0/2/0/0',
      'CommandRefused, NothingRequested: 0/2/0/0',
      'ReservationQueued 5, position 1: 0/2/0/1',
      'PurchaseRequested, shortage 0: 0/2/0/1',
      'CopiesOrdered: 0/2/0/1',
      'ReservationQueued 6, position 2: 0/2/0/2',
      'PurchaseRequested, shortage 0: 0/2/0/2',
      'CopyReleased 1: 1/1/0/2',
      'CopyReserved 5: 0/2/0/1',
    ],
  ],
  [
    'of a purchase request, those who were refused count until copies are ordered or arrive',
    { ...library, queueMax: 1 },
    [receive(1), reserve(1), reserve(2), reserve(3)],
    [release(2), release(1), decline()],
    ['CopyReleased 2: 0/1/0/0', 'CopyReleased 1: 1/0/0/0', 'PurchaseDeclined: 1/0/0/0'],
  ],
  [
    'a declined purchase changes nothing for those who wait for copies that the library has',
    library,
    rush(),
    [decline(), decline()],
    ['PurchaseDeclined: 0/2/0/3', 'CommandRefused, NothingRequested: 0/2/0/3'],
  ],
  [
    'without any copy it refuses those who wait',
    library,
    [receive(1), reserve(1), reserve(2), lose(1)],
    [decline()],
    [
      'PurchaseDeclined: 0/0/0/2',
      'ReservationRefused 1, NotAcquired: 0/0/0/1',
      'ReservationRefused 2, NotAcquired: 0/0/0/0',
    ],
  ],
  [
    'a copy that was sold is none to wait for',
    bookshop,
    [receive(1), reserve(1), handOver(1), reserve(2), reserve(3)],
    [decline()],
    [
      'PurchaseDeclined: 0/0/1/2',
      'ReservationRefused 2, NotAcquired: 0/0/1/1',
      'ReservationRefused 3, NotAcquired: 0/0/1/0',
    ],
  ],
  [
    'one that was lent is',
    library,
    [receive(1), reserve(1), handOver(1), reserve(2)],
    [decline(), tend, giveBack(1)],
    ['PurchaseDeclined: 0/0/1/1', 'CopyReturned 1: 1/0/0/1', 'CopyReserved 2: 0/1/0/0'],
  ],
  [
    'a purchase is declined, and the last copy is sold',
    bookshop,
    [receive(1), reserve(1), reserve(2), decline()],
    [handOver(1), tend],
    ['CopyHandedOver 1: 0/0/1/1', 'ReservationRefused 2, NotAcquired: 0/0/1/0'],
  ],
  [
    'a queue has no places for copies that were sold',
    { ...bookshop, queuePerCopy: 1 },
    [receive(2), reserve(1), handOver(1), reserve(2), reserve(3)],
    [reserve(4)],
    ['ReservationRefused 4, QueueFull: 0/1/1/1'],
  ],
  [
    'a wait ends after the days that the rules give it',
    library,
    rush(),
    [lapse(3, before), lapse(3, deadline), lapse(3, later), lapse(1, later)],
    ['ReservationRefused 3, WaitLapsed: 0/2/0/2'],
  ],
  [
    'one active reservation per customer and book',
    library,
    rush(),
    [{ ...who(6), type: 'ReserveCopy', bookid, userid: 'user-1' }],
    ['ReservationRefused 6, AlreadyReserved, other 1: 0/2/0/3'],
  ],
  [
    'a customer who has the book may not reserve it',
    library,
    [receive(2), reserve(1), handOver(1)],
    [{ ...who(2), type: 'ReserveCopy', bookid, userid: 'user-1' }],
    ['ReservationRefused 2, AlreadyHas, other 1: 1/0/1/0'],
  ],
  [
    'a customer who has returned the book may',
    library,
    [receive(1), reserve(1), handOver(1), giveBack(1)],
    [{ ...who(2), type: 'ReserveCopy', bookid, userid: 'user-1' }],
    ['CopyReserved 2: 0/1/0/0'],
  ],
  [
    'a repeated request gets what is true now',
    library,
    [...rush(), shelve(1), handOver(2)],
    [reserve(1), reserve(2), reserve(3)],
    [
      `CopyShelved 1, ${deadline}, again: 0/1/1/3`,
      'CopyHandedOver 2, again: 0/1/1/3',
      'ReservationQueued 3, again: 0/1/1/3',
    ],
  ],
  [
    'a release that overtakes its reservation takes no place',
    library,
    [receive(1), reserve(1)],
    [release(2), reserve(2)],
    ['CopyReleased 2: 0/1/0/0', 'CopyReleased 2, again: 0/1/0/0'],
  ],
  [
    'rules that are lowered end no reservation, and refuse newcomers',
    library,
    [...rush(), changeRules({ queueMax: 1 })],
    [reserve(6), release(1)],
    ['ReservationRefused 6, QueueFull: 0/2/0/3', 'CopyReleased 1: 1/1/0/3', 'CopyReserved 3: 0/2/0/2'],
  ],
  [
    'a copy that was held under the rules of the original can be shelved, handed over and taken back',
    original,
    [receive(1), reserve(1)],
    [shelve(1), handOver(1)],
    ['CopyShelved 1: 0/1/0/0', 'CopyHandedOver 1: 0/0/1/0'],
  ],
]

test.each(rows)('%s', (_, rules, given, when, then) => {
  const actor = new BookActor(rules)
  for (const message of given) actor.take(message)
  expect(when.flatMap((message) => actor.take(message)).map(inShort)).toEqual(then)
})

test('BQ3, BQ4: one decision serves at most 200; the rest is served before any newcomer', () => {
  const actor = new BookActor({ ...bookshop, pullStep: true })
  actor.take(receive(1))
  for (let n = 1; n <= 501; n++) actor.take(reserve(n))
  const served = (events: StockEvent[]) =>
    events.flatMap((it) => (it.type === 'CopyReserved' ? [Number(it.reservationid.slice(-12))] : []))
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
  expect(served(actor.take(receive(450)))).toEqual(range(2, 201))
  // Copies are available, and a newcomer waits behind those who came before.
  expect(actor.take(reserve(600)).map(inShort)).toEqual([
    'ReservationQueued 600, position 301: 250/201/0/301',
    'PurchaseRequested, shortage 0: 250/201/0/301',
  ])
  // A copy that is lost meanwhile goes back to the front.
  expect(served(actor.take(lose(150))).slice(0, 2)).toEqual([150, 202])
  actor.rest()
  expect(actor.published.filter((it) => it.type === 'CopyReserved')).toHaveLength(450 + 1)
  expect(actor.book).toMatchObject({ available: 0, waiting: 52 })
})

test('a purchase that is declined for a queue in steps is declined for a newcomer, too', () => {
  const actor = new BookActor(bookshop)
  actor.take(receive(1))
  for (let n = 1; n <= 501; n++) actor.take(reserve(n))
  actor.take(lose(1))
  expect(actor.take(decline()).filter((it) => it.type === 'ReservationRefused')).toHaveLength(200)
  for (const more of [{}, { wait: false }])
    expect(actor.take(reserve(more.wait === false ? 601 : 600, more)).map(inShort)).toEqual([
      expect.stringMatching(/^ReservationRefused 60[01], NotAcquired: 0\/0\/0\/301$/),
    ])
  actor.rest()
  expect(actor.book).toMatchObject({ waiting: 0, requested: false })
  expect(actor.take(reserve(700)).map(inShort)).toEqual([
    'ReservationQueued 700, position 1: 0/0/0/1',
    'PurchaseRequested, shortage 0: 0/0/0/1',
  ])
})

test('a receipt that serves a queue in steps asks the purchaser after the last, for those without a copy', () => {
  const actor = new BookActor(bookshop)
  actor.take(receive(1))
  for (let n = 1; n <= 301; n++) actor.take(reserve(n))
  expect(actor.take(receive(250)).at(-1)?.type).toBe('CopyReserved')
  actor.rest()
  const { type, waiting } = actor.published.at(-1)!
  expect([type, waiting]).toEqual(['PurchaseRequested', 50])
})

test('the end of a wait does not move when the request is repeated', () => {
  const actor = new BookActor(library)
  for (const message of rush()) actor.take(message)
  const wait = actor.holds.get(uuid(1, 3))
  actor.take(reserve(3))
  expect(actor.holds.get(uuid(1, 3))?.hold).toBe(wait?.hold)
})

test('BQ1: a copy that is taken back does not overtake those who wait behind the loaded head of the queue', () => {
  const initial = stock.initial(bookid)
  const wait = (n: number) => ({ ...who(n), place: n, turn: 1 })
  const counts = { available: 5, held: 1, waiting: 10, lastPlace: 60, received: true }
  const state: StockState = {
    ...initial,
    book: { ...initial.book, ...counts },
    ...who(50),
    hold: { status: 'held', place: 50, turn: 1 },
    rules: library,
    queue: [wait(3)],
    shelf: { rules: library, pickupBy: null },
  }
  const served = (queue: StockState['queue']) =>
    stock
      .decide(lose(50), { ...state, queue })
      .flatMap((it) => (it.type === 'CopyReserved' ? [it.place] : []))
  expect(served([wait(3)])).toEqual([3])
  expect(served([wait(3), wait(55)])).toEqual([3, 50, 55])
  expect(served([])).toEqual([])
})
