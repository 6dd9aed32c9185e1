/** Rules for tests, and a book in memory that judges its own events. */
import { expect } from 'vitest'
import { step } from '../behavior.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type Book, unknownBook } from './book.ts'
import { type Hold, holdAfter } from './hold.ts'
import { isUntended, servedMax } from './queue.ts'
import { presets, type Rules, rulesOf } from './rules.ts'
import { stock } from './stock.ts'

/** @param pickupBy of every copy that is put on the hold shelf. */
export const withRules = (rules: Rules, pickupBy: string | null = null, lapsesAt: string | null = null) => ({
  surroundings: () => ({
    rulesOf: (book: { rules: Parameters<typeof rulesOf>[1] }) => rulesOf(rules, book.rules),
    pickupBy: () => pickupBy,
    lapsesAt: () => lapsesAt,
  }),
  untended() {},
})

export const withoutRules = withRules(presets.original)

export const bookid = 'b'
export const uuid = (kind: number, n: number) =>
  `0000000${kind}-0000-4000-8000-${String(n).padStart(12, '0')}`
/** Of every copy that is put on the hold shelf, and every wait. */
export const deadline = '2026-12-01T09:00:00.000Z'
/** Before, at and after the deadline. */
export const instants = ['2026-11-30T09:00:00.000Z', deadline, '2026-12-05T09:00:00.000Z'] as const

const isActive = ({ status }: Hold) => status === 'waiting' || status === 'held' || status === 'ready'

/** A book and its reservations in memory, with everything that must hold after each event. */
export class BookActor {
  book: Book
  readonly holds = new Map<string, { userid: string; hold: Hold }>()
  readonly handled = new Set<string>()
  readonly published: StockEvent[] = []
  readonly handedOver = new Set<string>()
  readonly #lent = new Set<string>()
  readonly #defaults: Rules
  #stocked = 0

  constructor(defaults: Rules, id = bookid) {
    this.#defaults = defaults
    this.book = unknownBook(id)
  }

  get rules(): Rules {
    return rulesOf(this.#defaults, this.book.rules)
  }

  #of(...statuses: Hold['status'][]) {
    const found = []
    for (const [reservationid, { userid, hold }] of this.holds)
      if (statuses.includes(hold.status)) found.push({ reservationid, userid, ...hold })
    return found as { reservationid: string; userid: string; place: number; turn: number; status: 'held' }[]
  }

  take(message: StockCommand): StockEvent[] {
    const { rules } = this
    const reservationid = 'reservationid' in message ? message.reservationid : undefined
    const known = this.holds.get(reservationid ?? '')
    const waits = this.#of('waiting').sort((a, b) => a.place - b.place)
    const twins =
      message.type === 'ReserveCopy' && rules.onePerBook
        ? this.#of('waiting', 'held', 'ready', ...(rules.lend ? (['collected'] as const) : []))
        : []
    const state = {
      ...stock.initial(bookid),
      book: this.book,
      reservationid,
      hold: known?.hold,
      userid: known?.userid,
      lent: known?.hold.status === 'collected' && this.#lent.has(reservationid!),
      handled: 'commandid' in message && this.handled.has(message.commandid),
      rules,
      queue: waits,
      heldLast: this.#of('held', 'ready').sort(
        (a, b) =>
          Number(a.status !== 'held') - Number(b.status !== 'held') || (b.place ?? 0) - (a.place ?? 0),
      ),
      twin: twins.find(
        (it) =>
          message.type === 'ReserveCopy' &&
          it.userid === message.userid &&
          it.reservationid !== reservationid,
      ),
      shelf: { rules, pickupBy: rules.pickupDays === null ? null : deadline },
      lapsesAt: rules.waitDays === null ? null : deadline,
    }
    const { events, state: after } = step(stock, state, message)
    if ('commandid' in message) this.handled.add(message.commandid)
    for (const event of events) this.#follow(event, message, state.lapsesAt)
    expect(after.book).toEqual({ ...after.book, ...countsOf(this) })
    this.book = after.book
    // BQ2
    if (waits.length <= servedMax) expect(this.book.available > 0 && this.book.waiting > 0).toBe(false)
    return events
  }

  /** Judges one event, with the reservations as they were before it. */
  #follow(event: StockEvent, message: StockCommand, lapsesAt: string | null): void {
    this.published.push(event)
    const { available, held, out = 0, waiting = 0 } = event
    if (event.type === 'CopiesReceived') this.#stocked += event.qty
    if (event.type === 'CopiesWithdrawn') this.#stocked -= event.qty
    // BR1
    expect(available + held + out, JSON.stringify(event)).toBe(this.#stocked)
    expect(Math.min(available, held, out, waiting)).toBeGreaterThanOrEqual(0)
    if ('reservationid' in event) {
      const { reservationid, userid, type } = event
      const before = this.holds.get(reservationid)
      const waits = this.#of('waiting')
      const isFirst = 'first' in event && event.first
      if (type === 'CopyReserved' && isFirst) {
        // BQ1, BQ3
        const ahead = waits.filter((it) => event.waited && it.place < event.place!)
        expect(ahead).toEqual([])
        if (!event.waited) expect(waits).toEqual([])
      }
      if (type === 'HoldExpired' && isFirst) {
        // BR4
        expect(before?.hold.status).toBe('ready')
        const { pickupBy } = before!.hold as { pickupBy: string }
        expect(message.type === 'ExpireHold' && pickupBy <= message.at).toBe(true)
      }
      if (type === 'CopyHandedOver' && isFirst) {
        // BR5
        expect(this.handedOver).not.toContain(reservationid)
        expect(['held', 'ready']).toContain(before?.hold.status)
        this.handedOver.add(reservationid)
        if (this.rules.lend) this.#lent.add(reservationid)
      }
      if (before) expect(userid).toBe(before.userid)
      this.holds.set(reservationid, { userid, hold: holdAfter(before?.hold, event, lapsesAt) })
    }
    // BR2
    expect(waiting).toBe(this.#of('waiting').length)
    expect(held).toBe(this.#of('held', 'ready').length)
    expect(out).toBe(this.#of('collected').length)
    // BR3
    if (!this.rules.onePerBook || this.#mayHaveTwins) return
    const active = [...this.holds.values()].filter((it) => isActive(it.hold)).map((it) => it.userid)
    expect(new Set(active).size).toBe(active.length)
  }

  /** Rules that are lowered later end nothing, so customers may have two from before. */
  get #mayHaveTwins(): boolean {
    return this.published.some((it) => it.type === 'RulesChanged')
  }

  /** Handles what stock sends itself, until the book is at rest. */
  rest(): void {
    while (isUntended(this.book, this.rules)) this.take({ type: 'TendQueue', bookid: this.book.bookid })
    // BQ2
    expect(this.book.available > 0 && this.book.waiting > 0).toBe(false)
  }
}

const countsOf = ({ published }: BookActor) => {
  const { version, available, held, out = 0, waiting = 0 } = published.at(-1) ?? unknownBook(bookid)
  return { version, available, held, out, waiting }
}
