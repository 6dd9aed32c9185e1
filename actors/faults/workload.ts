/**
 * What people do, all day: they reserve, with a key or without, waiting for the decision or not; cancel at once, late,
 * twice, before the outcome; repeat requests with the same key; book copies in; order some; and look.
 *
 * The load is open: requests come at their rate, whether those before were answered or not.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reservation } from '../testing/acts.ts'
import { inParallel } from '../testing/eventually.ts'
import type { Asked, Call, Kind } from './history.ts'
import { answerOf } from './history.ts'
import type { Population } from './population.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'

/** Requests under way at most: beyond that people stay away. */
const underWayMax = 500
/** Reservations that may still be looked at or cancelled. */
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
  /** Acts a second. */
  rate: number
  habits?: Habits
}

/** How long a request asks to be held until it is decided. */
export const waitMaxS = 3

export class Workload {
  readonly #options: Required<WorkloadOptions>
  readonly #underWay = new Set<Promise<unknown>>()
  /** Calls that made a reservation, the newest last. */
  readonly #made: Call[] = []
  readonly #ordered: Call[] = []
  #running: Promise<void> | undefined
  #stopped = false
  #keys = 0

  constructor(options: WorkloadOptions) {
    this.#options = { habits: usual, ...options }
  }

  /** Puts the first copies on the shelves. @throws when that fails, for nothing is hurt yet. */
  async stockUp(): Promise<void> {
    const { requests, population } = this.#options
    await inParallel(population.shelves, 4, async (shelf) => {
      const call = await requests.make({ kind: 'receive', ...shelf, key: this.#key() })
      if (call.end !== 'ok')
        throw new Error(`Cannot stock ${shelf.bookid}: ${call.status} ${JSON.stringify(call.body)}`)
    })
  }

  /** Once it runs, starting it again changes nothing. */
  start(): void {
    this.#stopped = false
    this.#running ??= this.#run()
  }

  /** No more requests; waits for those under way. */
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
      // After a pause of our own the requests that were missed are not made up for.
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

  /** Now and then what arrives is what was ordered. */
  #arrival(): Asked | undefined {
    const order = this.#options.random.chance(0.3) ? this.#ordered.shift() : undefined
    const purchase = order && answerOf<{ purchaseid: string }>(order)
    if (!purchase) return undefined
    const { bookid, qty } = order
    return { kind: 'receive', bookid, qty, purchaseid: purchase.purchaseid, key: this.#key() }
  }

  #remembered(): Call | undefined {
    const made = this.#made.length > 0 ? this.#options.random.pick(this.#made) : undefined
    // A backup may have undone it.
    return made && answerOf(made) ? made : undefined
  }

  #key(): string {
    return `key-${this.#keys++}`
  }
}

const idOf = (made: Call) => answerOf<Reservation>(made)!.reservationid

const cancelOf = (made: Call): Asked => ({ kind: 'cancel', reservationid: idOf(made), cause: made.id })
