/**
 * Staff at the desk. They look at a hold and take its next step: to the hold shelf, into its customer's hands, and back. Sometimes
 * a copy is gone, a deadline is moved, or they ask for something that is wrong.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BookRules } from '../../actors/messages.ts'
import { inParallel } from '../doubles/eventually.ts'
import { type Asked, answerOf, type Call } from './history.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'

type Hold = { reservationid: string; bookid: string; userid: string; status: string }
type Change = Record<string, unknown>

const ends = new Set(['Returned', 'Failed', 'Canceled', 'Expired'])
const dayMs = 86_400_000
/** Holds with a deadline so near that it passes during the run. */
const nearMaxMs = 1_500
/** Changes at a time. */
const width = 8

export type DeskOptions = {
  requests: Requests
  /** Of the books that have some. */
  rules: Map<string, BookRules>
  random: Random
  /** Makes a new idempotency key. */
  key(): string
}

export class Desk {
  readonly #options: DeskOptions
  /** Calls that made the reservations whose deadline is near. */
  readonly #near = new Map<string, number>()
  /** Reservations whose end they have seen. */
  readonly #ended = new Set<string>()

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** Sets the rules of these books. Staff attend to a book once it has them. @throws when that fails. */
  async setRules(all: Map<string, BookRules>): Promise<void> {
    await inParallel([...all], 4, async ([bookid, rules]) => {
      const call = await this.#options.requests.make(this.#rules(bookid, rules))
      if (call.end !== 'ok')
        throw new Error(`Cannot set the rules of ${bookid}: ${JSON.stringify(call.body)}`)
      this.#options.rules.set(bookid, rules)
    })
  }

  /** Whether a reservation may need staff. */
  needs(bookid: string, reservationid: string): boolean {
    return this.#options.rules.has(bookid) && !this.#ended.has(reservationid)
  }

  /** @param made the call that made a reservation. */
  async attend(made: Call, reservationid: string): Promise<void> {
    const { requests } = this.#options
    const look = await requests.make({ kind: 'look at a hold', reservationid, cause: made.id })
    const hold = answerOf<Hold>(look)
    if (hold && ends.has(hold.status)) this.#ended.add(reservationid)
    const change = hold && this.#nextOf(hold)
    if (!change) return
    const call = await this.#change(reservationid, change, made.id)
    // Two members of staff may hand over the same copy.
    if (change.status === 'Collected' && this.#options.random.chance(0.3))
      await this.#change(reservationid, change, made.id)
    // Some read it there and give it back at once, so that one batch of events holds two steps.
    if (call.end === 'ok' && change.status === 'Collected' && this.#options.random.chance(0.5))
      return this.attend(made, reservationid)
    if (!change.isNear) return this.#forget(reservationid, call)
    this.#near.set(reservationid, made.id)
    // Half of the customers call in time.
    if (!this.#options.random.chance(0.5)) return
    await sleep(this.#options.random.between(0, nearMaxMs))
    await this.#postpone(reservationid)
  }

  /** Hands a copy over, whether there is one or not. */
  async handOver(made: Call, reservationid: string): Promise<void> {
    await this.#change(reservationid, { status: 'Collected', userid: made.userid }, made.id)
  }

  /** @returns what staff ask for a book; undefined without a book that has rules. */
  ask(kind: 'withdraw' | 'decline' | 'set rules'): Asked | undefined {
    const { random, rules, key } = this.#options
    if (rules.size === 0) return undefined
    const bookid = random.pick([...rules.keys()])
    if (kind === 'set rules') {
      const { queueMax = 0, ...others } = rules.get(bookid)!
      return this.#rules(bookid, { ...others, queueMax: queueMax > 0 ? 1 + random.below(queueMax) : 0 })
    }
    if (kind === 'decline') return { kind, bookid, key: key() }
    const more = { reason: 'Damaged', evenHeld: random.chance(0.5) }
    return { kind, bookid, qty: 1 + random.below(2), more, key: key() }
  }

  /** Postpones the deadlines that are near, so that nothing expires once all is quiet. */
  async close(): Promise<void> {
    await inParallel([...this.#near.keys()], width, (reservationid) => this.#postpone(reservationid))
  }

  async #postpone(reservationid: string): Promise<void> {
    const cause = this.#near.get(reservationid)
    if (cause === undefined) return
    this.#forget(reservationid, await this.#change(reservationid, this.#later(), cause))
  }

  #forget(reservationid: string, { end }: Call): void {
    if (end !== 'unknown') this.#near.delete(reservationid)
  }

  #change(reservationid: string, { isNear: _, ...more }: Change, cause: number): Promise<Call> {
    const { requests, key } = this.#options
    return requests.make({ kind: 'change a hold', reservationid, more, cause, key: key() })
  }

  #rules(bookid: string, rules: BookRules): Asked {
    return { kind: 'set rules', bookid, more: rules, key: this.#options.key() }
  }

  #later = (): Change => ({
    pickupBy: new Date(Date.now() + dayMs * this.#options.random.between(2, 9)).toISOString(),
  })

  #soon = (): Change => ({
    pickupBy: new Date(Date.now() + this.#options.random.between(nearMaxMs / 2, nearMaxMs)).toISOString(),
    isNear: true,
  })

  #nextOf({ status, userid }: Hold): Change | undefined {
    const { random } = this.#options
    const collected = { status: 'Collected', userid }
    const gone = { status: 'Waiting', cause: 'Lost' }
    switch (status) {
      case 'Reserved':
        return random.weighted<Change>([
          [{ status: 'Ready' }, 75],
          [collected, 10],
          [gone, 10],
          [{ status: 'Returned' }, 3],
          [this.#later(), 2],
        ])
      case 'Ready':
        return random.weighted<Change>([
          [collected, 45],
          [{ ...collected, userid: 'another' }, 3],
          [this.#soon(), 30],
          [this.#later(), 10],
          [gone, 12],
        ])
      case 'Collected':
        return random.weighted<Change>([
          [{ status: 'Returned' }, 80],
          [collected, 15],
          [gone, 5],
        ])
      default:
        return random.chance(0.1) ? random.pick([collected, gone, { status: 'Ready' }]) : undefined
    }
  }
}
