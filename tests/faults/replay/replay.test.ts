/** The checks can fail: they detect faulty histories. */
import { describe, expect, test } from 'vitest'
import type { BookRules, StockEvent } from '../../../actors/messages.ts'
import { replay } from './replay.ts'

const log = (...events: StockEvent[]) =>
  events.map((event, index) => ({ partition: 0, seq: index + 1, id: `${index}`, event }))
const book = { bookid: 'b' }
const reader = { reservationid: '00000000-0000-4000-8000-000000000001', userid: 'ann' }
const received = (qty: number, version = 1): StockEvent => ({
  type: 'CopiesReceived',
  ...book,
  version,
  available: qty,
  held: 0,
  qty,
  title: '',
  author: '',
  isbn: '',
})
const reserved: StockEvent = { type: 'CopyReserved', ...book, ...reader, version: 2, available: 0, held: 1 }
const released: StockEvent = { type: 'CopyReleased', ...book, ...reader, version: 3, available: 1, held: 0 }
const refused: StockEvent = {
  type: 'ReservationRefused',
  ...book,
  ...reader,
  version: 1,
  available: 0,
  held: 0,
  reason: 'OutOfStock',
}
const faultsOf = (...events: StockEvent[]) => {
  const { miscounted, contradicted, unjustified, releasedAgain } = replay(log(...events))
  return { miscounted, contradicted, unjustified, releasedAgain }
}
const none = { miscounted: [], contradicted: [], unjustified: [], releasedAgain: [] }

describe('a log is correct', () => {
  test('when a copy is received, reserved, answered again, released and answered again', () => {
    expect(faultsOf(received(1), reserved, reserved, released, released)).toEqual(none)
  })
  test('when the last copy is gone and the next is refused', () => {
    expect(faultsOf(received(0), refused, refused)).toEqual(none)
  })
})

test.each<[string, StockEvent]>([
  ['has a new member', { ...reserved, out: 0 }],
  [
    'is of a new type',
    { type: 'CopiesWithdrawn', ...book, version: 2, available: 0, held: 0, qty: 1, reason: 'Lost' },
  ],
])('it is detected when an event of a book without rules %s', (_, event) => {
  expect(replay(log(received(1), reserved, released)).unfamiliar).toEqual([])
  expect(replay(log(received(1), event)).unfamiliar).toHaveLength(1)
})

test('a refused reservation may be released', () => {
  const ended: StockEvent = { ...released, version: 1, available: 0, held: 0 }
  expect(faultsOf(received(0), refused, ended, ended)).toEqual(none)
})

describe('a faulty log is detected', () => {
  test('when a copy is promised that does not exist', () => {
    const promised: StockEvent = { ...reserved, available: 0, held: 1 }
    expect(faultsOf(received(0), promised).miscounted).not.toEqual([])
  })
  test('when a hold is released again', () => {
    const again: StockEvent = { ...released, version: 4, available: 2, held: 0 }
    expect(faultsOf(received(1), reserved, released, again).releasedAgain).toHaveLength(1)
  })
  test('when a reserved reservation is refused', () => {
    const late: StockEvent = { ...refused, version: 2, held: 1 }
    expect(faultsOf(received(1), reserved, late).contradicted).toHaveLength(1)
  })
  test('when a reservation is refused although there are copies', () => {
    expect(faultsOf(received(1), { ...refused, available: 1 }).unjustified).toHaveLength(1)
  })
  test('when a refusal names the wrong reason', () => {
    expect(faultsOf(received(0), { ...refused, reason: 'UnknownBook' }).unjustified).toHaveLength(1)
  })
})

/** A book with rules, one event after the other: each builder counts on from the event before. */
class Story {
  readonly events: StockEvent[] = []
  #counts: Counts

  /** @param before the counts when the rules were set. */
  constructor(rules: BookRules, before: Partial<Counts> = {}) {
    this.#counts = { version: 0, available: 0, held: 0, out: 0, waiting: 0, ...before }
    this.add({ type: 'RulesChanged', rules })
  }

  /** @param change of the counts. */
  add(event: Added, change?: Partial<Counts>): this {
    if (change) {
      this.#counts = { ...this.#counts, version: this.#counts.version + 1 }
      for (const [name, by] of Object.entries(change)) this.#counts[name as keyof Counts] += by
    }
    const { out, waiting, ...counts } = this.#counts
    const few = { ...(out > 0 ? { out } : {}), ...(waiting > 0 ? { waiting } : {}) }
    this.events.push({ ...book, ...counts, ...few, ...event } as StockEvent)
    return this
  }

  receive(qty: number) {
    return this.add({ type: 'CopiesReceived', qty, title: '', author: '', isbn: '' }, { available: qty })
  }
  reserve(n: number, place: number) {
    return this.add({ type: 'CopyReserved', ...whose(n), place, first: true }, { available: -1, held: 1 })
  }
  queue(n: number, place: number, position: number, userid = whose(n).userid) {
    const event = { type: 'ReservationQueued', ...whose(n), userid, place, position, first: true } as const
    return this.add(event, { waiting: 1 })
  }
  serve(n: number, place: number) {
    const event = { type: 'CopyReserved', ...whose(n), place, waited: true, first: true } as const
    return this.add(event, { available: -1, held: 1, waiting: -1 })
  }
  release(n: number) {
    return this.add({ type: 'CopyReleased', ...whose(n), first: true }, { available: 1, held: -1 })
  }
  shelve(n: number, pickupBy: string) {
    return this.add({ type: 'CopyShelved', ...whose(n), pickupBy, first: true })
  }
  extend(n: number, pickupBy: string) {
    return this.add({ type: 'PickupExtended', ...whose(n), pickupBy })
  }
  expire(n: number) {
    return this.add({ type: 'HoldExpired', ...whose(n), first: true }, { available: 1, held: -1 })
  }
  handOver(n: number, userid = whose(n).userid) {
    return this.add({ type: 'CopyHandedOver', ...whose(n), userid, first: true }, { held: -1, out: 1 })
  }
  takeBack(n: number, place: number, turn: number) {
    const event = { type: 'CopyTakenBack', ...whose(n), place, turn, cause: 'Lost' } as const
    return this.add(event, { available: 1, held: -1, waiting: 1 })
  }
  withdraw(qty: number) {
    return this.add({ type: 'CopiesWithdrawn', qty, reason: 'Lost' }, { available: -qty })
  }

  /** @returns what the replay finds, by name. */
  get found(): string[] {
    const timed = log(...this.events).map((row) => ({ ...row, time: new Date(now) }))
    return Object.entries(replay(timed)).flatMap(([name, it]) =>
      Array.isArray(it) && it.length > 0 ? [name] : [],
    )
  }
}

type Counts = { version: number; available: number; held: number; out: number; waiting: number }
type Figures = 'bookid' | 'version' | 'available' | 'held' | 'out' | 'waiting'
type Without<Event> = Event extends unknown ? Omit<Event, Figures> : never
type Added = Without<StockEvent>

const [before, now, later] = [
  '2026-12-01T09:00:00.000Z',
  '2026-12-02T09:00:00.000Z',
  '2026-12-03T09:00:00.000Z',
]
const whose = (n: number) => ({
  reservationid: `00000000-0000-4000-8000-00000000000${n}`,
  userid: `user-${n}`,
})
const queueing: BookRules = { queueMax: 10, pickupDays: 3, pullStep: true }
const story = (rules = queueing) => new Story(rules).receive(1).reserve(1, 1)

describe('the log of a book with rules is correct', () => {
  test('when those who wait are served in order, and a copy that is lost makes its reservation the first again', () => {
    const served = story().queue(2, 2, 1).queue(3, 3, 2).release(1).serve(2, 2)
    expect(served.takeBack(2, 2, 2).withdraw(1).receive(1).serve(2, 2).found).toEqual([])
  })
  test('when a copy is handed over, or its hold expires after its deadline', () => {
    expect(story().shelve(1, before).handOver(1).found).toEqual([])
    expect(story().shelve(1, later).extend(1, before).expire(1).found).toEqual([])
  })
})

test('a reservation from before its book had rules is no second one of its customer, and takes later steps', () => {
  const late = new Story({ ...queueing, onePerBook: true }, { version: 2, held: 1 })
  late.queue(2, 1, 1, whose(1).userid).shelve(1, later)
  const before = [received(1), { ...reserved, ...whose(1) }]
  const { doubled, contradicted, lives } = replay(log(...before, ...late.events))
  expect([doubled, contradicted]).toEqual([[], []])
  expect(lives.get(whose(1).reservationid)).toMatchObject({ state: 'ready', ruled: true })
})

describe('the faulty log of a book with rules is detected', () => {
  test.each<[string, Story, string[]]>([
    [
      'BR1: copies do not add up',
      story().add({ type: 'CopyShelved', ...whose(1), pickupBy: null }, { held: 1 }),
      ['miscounted'],
    ],
    ['BQ2: a copy is idle', story().queue(2, 2, 1).release(1), ['idle']],
    [
      'BQ1: the second is served first',
      story().queue(2, 2, 1).queue(3, 3, 2).release(1).serve(3, 3),
      ['outOfOrder'],
    ],
    ['BQ3: a newcomer overtakes', story().queue(2, 2, 1).release(1).reserve(3, 3), ['overtaken']],
    ['a place is given again', story().queue(2, 2, 1).queue(3, 2, 2), ['misplaced']],
    ['a place is lost', story().queue(2, 2, 1).release(1).serve(2, 3), ['misplaced']],
    ['a position is wrong', story().queue(2, 2, 2), ['misplaced']],
    [
      'BR3: a customer has two',
      story({ ...queueing, onePerBook: true }).add(
        { type: 'ReservationQueued', ...whose(2), userid: 'user-1', place: 2, position: 1, first: true },
        { waiting: 1 },
      ),
      ['doubled'],
    ],
    ['BR4: a hold expires early', story().shelve(1, before).extend(1, later).expire(1), ['premature']],
    [
      'BR4: a hold expires after hand-over',
      story()
        .shelve(1, before)
        .handOver(1)
        .add({ type: 'HoldExpired', ...whose(1), first: true }),
      ['contradicted'],
    ],
    ['BR5: a copy is handed over again', story().handOver(1).handOver(1), ['miscounted', 'misdelivered']],
    ['BR5: another customer gets the copy', story().handOver(1, 'user-2'), ['misdelivered']],
    [
      'BR5: a copy is handed over after its release',
      story()
        .release(1)
        .add({ type: 'CopyHandedOver', ...whose(1), first: true }),
      ['contradicted', 'misdelivered'],
    ],
    [
      'BR6: a step is left out',
      story()
        .queue(2, 2, 1)
        .add({ type: 'CopyShelved', ...whose(2), pickupBy: null, first: true }),
      ['contradicted'],
    ],
    [
      'a queue is not full',
      story().add({ type: 'ReservationRefused', ...whose(2), reason: 'QueueFull', first: true }),
      ['unjustified'],
    ],
  ])('%s', (_, it, found) => {
    // A log that breaks off may leave a copy idle.
    expect(it.found.filter((name) => name !== 'idle' || found.includes('idle'))).toEqual(found)
  })
})
