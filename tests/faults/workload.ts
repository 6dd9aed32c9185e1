/**
 * The actions of customers and staff: they reserve, with or without a key and a wait; cancel at once, late, twice,
 * before the outcome; repeat requests with the same key; receive and order copies; and read.
 *
 * The load is open: requests come at a fixed rate, whether or not earlier ones were answered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../doubles/eventually.ts'
import type { Reservation } from '../harness/acts.ts'
import type { Asked, Call, Kind } from './history.ts'
import { answerOf } from './history.ts'
import type { Population } from './population.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'

/** The most requests in flight; further ones are skipped. */
const underWayMax = 500
/** Reservations that may still be read or canceled. */
const rememberedMax = 400

export type Habit = Kind | 'reserve and cancel' | 'cancel twice'
export type Habits = readonly (readonly [Habit, number])[]

export const usual: Habits = [
  ['reserve', 48],
  ['reserve and cancel', 8],
  ['cancel', 10],
  ['cancel twice', 4],
  ['repeat', 8],
  ['receive', 8],
  ['order', 3],
  ['look', 6],
  ['list', 2],
]

export type WorkloadOptions = {
  requests: Requests
  population: Population
  random: Random
  /** Actions per second. */
  rate: number
  habits?: Habits
}

/** How long a request waits for its decision. */
export const waitMaxS = 3

export class Workload {
  readonly #options: Required<WorkloadOptions>
  readonly #underWay = new Set<Promise<unknown>>()
  /** Calls that created a reservation, newest last. */
  readonly #made: Call[] = []
  readonly #ordered: Call[] = []
  #running: Promise<void> | undefined
  #stopped = false
  #keys = 0

  constructor(options: WorkloadOptions) {
    this.#options = { habits: usual, ...options }
  }

  /** Receives the first copies. @throws when that fails, because there is no fault yet. */
  async stockUp(): Promise<void> {
    const { requests, population } = this.#options
    await inParallel(population.shelves, 4, async (shelf) => {
      const call = await requests.make({ kind: 'receive', ...shelf, key: this.#key() })
      if (call.end !== 'ok')
        throw new Error(`Cannot stock ${shelf.bookid}: ${call.status} ${JSON.stringify(call.body)}`)
    })
  }

  /** Starting a running workload has no effect. */
  start(): void {
    this.#stopped = false
    this.#running ??= this.#run()
  }

  /** Stops making requests, and waits for those in flight. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
    this.#running = undefined
    await Promise.all(this.#underWay)
  }

  async #run(): Promise<void> {
    const { random, rate } = this.#options
    let next = performance.now()
    while (!this.#stopped) {
      next += random.exponential(1_000 / rate)
      const waitMs = next - performance.now()
      if (waitMs > 1) await sleep(waitMs)
      // After a pause of this process, missed requests are not made up for.
      else if (waitMs < -250) next = performance.now()
      if (this.#underWay.size < underWayMax) this.#launch(this.#act())
    }
  }

  #launch(act: Promise<unknown>): void {
    this.#underWay.add(act)
    act.finally(() => this.#underWay.delete(act))
  }

  async #act(): Promise<void> {
    const { requests, random, habits } = this.#options
    const habit = random.weighted(habits)
    if (habit === 'reserve and cancel') {
      const made = await this.#reserve()
      if (made) await requests.make(cancelOf(made))
    } else if (habit === 'cancel twice') {
      const made = this.#remembered()
      if (made) await Promise.all([requests.make(cancelOf(made)), requests.make(cancelOf(made))])
    } else if (habit === 'reserve') await this.#reserve()
    else await this.#simple(habit)
  }

  async #reserve(): Promise<Call | undefined> {
    const { requests, population, random } = this.#options
    const bookid = population.wanted(random)
    const userid = population.reader(random)
    const key = random.chance(0.75) ? this.#key() : undefined
    const waitS = random.chance(0.25) ? waitMaxS : 0
    const call = await requests.make({ kind: 'reserve', bookid, userid, waitS, key })
    if (call.end !== 'ok') return undefined
    this.#made.push(call)
    if (this.#made.length > rememberedMax) this.#made.shift()
    return call
  }

  async #simple(kind: Exclude<Kind, 'reserve'>): Promise<void> {
    const asked = this.#ask(kind)
    if (!asked) return
    const call = await this.#options.requests.make(asked)
    if (kind === 'order' && call.end === 'ok') this.#ordered.push(call)
  }

  #ask(kind: Exclude<Kind, 'reserve'>): Asked | undefined {
    const { population, random } = this.#options
    const made = this.#remembered()
    const bookid = population.delivered(random)
    if (kind === 'list') return { kind }
    if (kind === 'order') return { kind, bookid, qty: 1 + random.below(3), key: this.#key() }
    if (kind === 'receive') return this.#arrival() ?? { kind, bookid, qty: random.below(4), key: this.#key() }
    if (!made) return undefined
    if (kind === 'cancel') return cancelOf(made)
    if (kind === 'look') return { kind, reservationid: idOf(made), cause: made.id }
    return made.key
      ? { kind, bookid: made.bookid, userid: made.userid, key: made.key, cause: made.id }
      : undefined
  }

  /** Sometimes the received copies are ordered ones. */
  #arrival(): Asked | undefined {
    const order = this.#options.random.chance(0.3) ? this.#ordered.shift() : undefined
    const purchase = order && answerOf<{ purchaseid: string }>(order)
    if (!purchase) return undefined
    const { bookid, qty } = order
    return { kind: 'receive', bookid, qty, purchaseid: purchase.purchaseid, key: this.#key() }
  }

  #remembered(): Call | undefined {
    const made = this.#made.length > 0 ? this.#options.random.pick(this.#made) : undefined
    // A restore may have undone it.
    return made && answerOf(made) ? made : undefined
  }

  #key(): string {
    return `key-${this.#keys++}`
  }
}

const idOf = (made: Call) => answerOf<Reservation>(made)!.reservationid

const cancelOf = (made: Call): Asked => ({ kind: 'cancel', reservationid: idOf(made), cause: made.id })
