/**
 * Stock and the reservation service in memory: customers, staff and the clock act in any order, commands are lost and sent again, and events
 * are read late, in batches. At rest a reservation is where stock says it is.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BookRules, StockCommand, StockEvent } from '../actors/messages.ts'
import { stepsOf } from '../actors/reservation/queue.ts'
import { active, commandIn, open, type Status } from '../actors/reservation/reservation.ts'
import { type Row, rowIn } from '../actors/reservation/testing.ts'
import { isPlain, shortVerdictsOf, verdictsOf } from '../actors/reservation/verdict.ts'
import type { Hold } from '../actors/stock/hold.ts'
import { presets, type Rules } from '../actors/stock/rules.ts'
import { BookActor, bookid, instants, uuid } from '../actors/stock/testing.ts'

/** The statuses of a hold's reservation. Stock may have ended one that its customer then canceled. */
const shown: Record<Hold['status'], Status[]> = {
  waiting: ['Waiting'],
  held: ['Reserved'],
  ready: ['Ready'],
  collected: ['Collected'],
  returned: ['Returned'],
  expired: ['Expired', 'Canceled'],
  refused: ['Failed'],
  released: ['Canceled'],
}

type Kept = Row & { userid: string; unconfirmed: boolean }

class TwoServices {
  readonly stock: BookActor
  readonly rows = new Map<string, Kept>()
  readonly #mailbox: StockCommand[] = []
  readonly #waiting = new Map<number, string>()
  readonly #heard = new Map<string, number>()
  readonly #letters: number[] = []
  #read = 0
  #commands = 0

  constructor(rules: Rules) {
    this.stock = new BookActor(rules)
  }

  reserve(n: number, isLost: boolean, wait?: false): void {
    const [reservationid, userid] = [uuid(1, n), `user-${n % 6}`]
    if (this.rows.has(reservationid)) return
    this.rows.set(reservationid, { ...rowIn('Requested'), userid, unconfirmed: true })
    const command = { type: 'ReserveCopy' as const, bookid, reservationid, userid }
    if (!isLost) this.send(wait === false ? { ...command, wait } : command)
  }

  cancel(n: number, isLost: boolean): void {
    const reservationid = uuid(1, n)
    const row = this.rows.get(reservationid)
    if (!row || !active.includes(row.status)) return
    Object.assign(row, { status: 'Canceled', unconfirmed: true })
    if (!isLost) this.send({ type: 'ReleaseCopy', bookid, reservationid, userid: row.userid })
  }

  send(command: StockCommand): void {
    this.#mailbox.push(command)
  }

  commandid(): string {
    return uuid(2, ++this.#commands)
  }

  decide(): void {
    const command = this.#mailbox.shift()
    if (command) this.stock.take(command)
  }

  /** @param dead which of the events becomes a dead letter. */
  readEvents(count: number, dead = -1): void {
    const from = this.#read
    const events = this.stock.published.slice(from, from + count)
    this.#read += events.length
    const letter = events[dead]
    if (letter && 'reservationid' in letter) this.#letters.push(from + dead)
    this.#apply(
      from,
      events.map((it) => (it === letter && 'reservationid' in it ? undefined : it)),
    )
  }

  redrive(n: number): void {
    const [at] = this.#letters.splice(n % this.#letters.length, 1)
    const event = at === undefined ? undefined : this.stock.published[at]
    if (!event || !('reservationid' in event)) return
    if (at! > (this.#heard.get(event.reservationid) ?? -1)) this.#apply(at!, [event])
  }

  #apply(from: number, read: (StockEvent | undefined)[]): void {
    const events = read.filter((it) => it !== undefined)
    if (events.every(isPlain)) {
      this.#applyShort(events)
      return
    }
    for (const [i, it] of read.entries())
      if (it && 'reservationid' in it) this.#heard.set(it.reservationid, from + i)
    for (const { reservationid, becomes } of verdictsOf(events)) {
      const row = this.rows.get(reservationid)!
      const next = becomes[row.status]
      if (next) Object.assign(row, next, { unconfirmed: false })
    }
    for (const { place, reservationid, waits } of stepsOf(events).steps)
      if (waits) this.#waiting.set(place, reservationid)
      else this.#waiting.delete(place)
  }

  #applyShort(events: StockEvent[]): void {
    for (const { reservationid, status, reason, released } of shortVerdictsOf(events)) {
      const row = this.rows.get(reservationid)!
      if (status && open.includes(row.status)) Object.assign(row, { status, reason, unconfirmed: false })
      else if (released && row.status === 'Canceled') row.unconfirmed = false
    }
  }

  /** As `resend.ts`: only once stock has read everything, and its answers are read. */
  resend(): void {
    if (this.#mailbox.length > 0 || this.#read < this.stock.published.length) return
    for (const [reservationid, { status, userid, unconfirmed }] of this.rows) {
      const type = commandIn[status]
      if (type && unconfirmed) this.send({ type, bookid, reservationid, userid })
    }
  }

  rest(): void {
    do {
      while (this.#mailbox.length > 0) this.decide()
      this.stock.rest()
      this.readEvents(Number.POSITIVE_INFINITY)
      while (this.#letters.length > 0) this.redrive(1)
      this.resend()
    } while (this.#mailbox.length > 0)
  }

  /** @param isCounted whether the queue is compared: after a dead letter it is counted again, which only Postgres does. */
  expectAgreement(isCounted: boolean): void {
    const waiting = []
    for (const [reservationid, { status, pickup_by, place }] of this.rows) {
      const { hold } = this.stock.holds.get(reservationid)!
      expect(shown[hold.status], reservationid).toContain(status)
      if (hold.status === 'ready') expect(pickup_by).toBe(hold.pickupBy)
      if (hold.status === 'waiting') expect(place).toBe(hold.place)
      if (hold.status === 'waiting') waiting.push([hold.place, reservationid])
    }
    const byPlace = (a: unknown[], b: unknown[]) => Number(a[0]) - Number(b[0])
    if (isCounted) expect([...this.#waiting].sort(byPlace)).toEqual(waiting.sort(byPlace))
  }
}

type Act = (it: TwoServices) => void
const n = fc.nat(13)
const isLost = fc.constantFrom(false, false, false, true)
const one = (act: Act): fc.Arbitrary<Act> => fc.constant(act)
const atDesk = (type: 'ShelveCopy' | 'HandOverCopy' | 'ReturnCopy'): fc.Arbitrary<Act> =>
  n.map((k) => (it) => it.send({ type, bookid, commandid: it.commandid(), reservationid: uuid(1, k) }))
const changes: BookRules[] = [
  {},
  presets.library,
  presets.bookshop,
  presets.original,
  { lend: false },
  { queueMax: 0 },
]

const acts: [weight: number, fc.Arbitrary<Act>][] = [
  [
    8,
    fc.tuple(n, isLost).map(
      ([k, lost]) =>
        (it) =>
          it.reserve(k, lost),
    ),
  ],
  [
    2,
    fc.tuple(n, isLost).map(
      ([k, lost]) =>
        (it) =>
          it.reserve(k, lost, false),
    ),
  ],
  [
    5,
    fc.tuple(n, isLost).map(
      ([k, lost]) =>
        (it) =>
          it.cancel(k, lost),
    ),
  ],
  [14, one((it) => it.decide())],
  [6, fc.integer({ min: 1, max: 6 }).map((count) => (it) => it.readEvents(count))],
  [2, one((it) => it.resend())],
  [3, atDesk('ShelveCopy')],
  [3, atDesk('HandOverCopy')],
  [3, atDesk('ReturnCopy')],
  [
    1,
    fc.tuple(n, fc.constantFrom(...instants)).map(([k, pickupBy]) => (it) => {
      const reservationid = uuid(1, k)
      it.send({ type: 'ExtendPickup', bookid, commandid: it.commandid(), reservationid, pickupBy })
    }),
  ],
  [
    2,
    fc
      .tuple(n, fc.constantFrom(...instants), fc.constantFrom('ExpireHold' as const, 'LapseWait' as const))
      .map(
        ([k, at, type]) =>
          (it) =>
            it.send({ type, bookid, reservationid: uuid(1, k), at }),
      ),
  ],
  [
    2,
    fc
      .nat(2)
      .map((qty) => (it) => it.send({ type: 'ReceiveCopies', bookid, commandid: it.commandid(), qty })),
  ],
  [
    1,
    one((it) => {
      const commandid = it.commandid()
      it.send({ type: 'OrderCopies', bookid, commandid, purchaseid: commandid, qty: 1 })
    }),
  ],
  [
    2,
    fc.tuple(fc.option(n), fc.integer({ min: 1, max: 3 })).map(([k, qty]) => (it) => {
      const command = {
        type: 'WithdrawCopies' as const,
        bookid,
        commandid: it.commandid(),
        reason: 'Lost' as const,
      }
      it.send(
        k === null ? { ...command, qty, evenHeld: true } : { ...command, qty: 1, reservationid: uuid(1, k) },
      )
    }),
  ],
  [1, one((it) => it.send({ type: 'DeclinePurchase', bookid, commandid: it.commandid() }))],
  [
    1,
    fc
      .constantFrom(...changes)
      .map((rules) => (it) => it.send({ type: 'ChangeRules', bookid, commandid: it.commandid(), rules })),
  ],
]
const deadLetters: typeof acts = [
  [
    3,
    fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(5)).map(
      ([count, dead]) =>
        (it) =>
          it.readEvents(count, dead),
    ),
  ],
  [2, fc.nat(5).map((k) => (it) => it.redrive(k))],
]
const rules = fc.constantFrom<Rules>(...Object.values(presets), { ...presets.library, pullStep: false })

test.each([
  ['events are read late and commands are lost', acts, true],
  ['events become dead letters and are redriven in any order', [...acts, ...deadLetters], false],
] as const)('at rest each reservation is where stock says, though %s', (_, some, isCounted) => {
  const act = fc.oneof(...some.map(([weight, arbitrary]) => ({ weight, arbitrary })))
  fc.assert(
    fc.property(rules, fc.array(act, { minLength: 30, maxLength: 150, size: 'max' }), (preset, sequence) => {
      const services = new TwoServices(preset)
      for (const it of sequence) it(services)
      services.rest()
      services.expectAgreement(isCounted)
    }),
    { numRuns: 100 },
  )
})
