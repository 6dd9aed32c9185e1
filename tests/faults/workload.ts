/**
 * The actions of customers and staff: they reserve, with or without a key and a wait; cancel at once, late, twice,
 * before the outcome; repeat requests with the same key; receive and order copies; and read. With books that have rules, staff also
 * work at the desk (`desk.ts`).
 *
 * The load is open: requests come at a fixed rate, whether or not earlier ones were answered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BookRules } from '../../actors/messages.ts'
import { inParallel, range } from '../doubles/eventually.ts'
import type { Reservation } from '../harness/acts.ts'
import { Desk } from './desk.ts'
import type { Asked, Call, Kind } from './history.ts'
import { answerOf } from './history.ts'
import type { Population } from './population.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'

/** The most requests in flight; further ones are skipped. */
const underWayMax = 500
/** Reservations that may still be read or canceled. */
const rememberedMax = 400

export type Habit =
  | Exclude<Kind, 'look at a hold' | 'change a hold'>
  | 'reserve and cancel'
  | 'cancel twice'
  | 'queue up'
  | 'reach the limit'
  | 'attend the desk'
  | 'block at the desk'
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
  ['attend the desk', 16],
  ['withdraw', 2],
  ['decline', 1],
  ['set rules', 0.5],
]

export type WorkloadOptions = {
  requests: Requests
  population: Population
  /** Of the books that have some. None if the older version does not know rules. */
  rules: Map<string, BookRules>
  /** Active reservations per customer. 0: no limit. */
  activeMax: number
  random: Random
  /** Actions per second. */
  rate: number
  habits?: Habits
}

/** How long after a block its customer comes to the desk. */
const blockedMaxMs = 1_500

/** How long a request waits for its decision. */
export const waitMaxS = 3

export class Workload {
  readonly #options: Required<WorkloadOptions>
  readonly #underWay = new Set<Promise<unknown>>()
  /** Calls that created a reservation, newest last. */
  readonly #made: Call[] = []
  readonly #ordered: Call[] = []
  readonly #desk: Desk
  #running: Promise<void> | undefined
  #stopped = false
  #keys = 0

  constructor(options: WorkloadOptions) {
    this.#options = { habits: usual, ...options }
    const { requests, rules, random } = options
    this.#desk = new Desk({ requests, rules, random: random.fork(), key: () => this.#key() })
  }

  /** Receives the first copies. @throws when that fails, because there is no fault yet. */
  async stockUp(): Promise<void> {
    const { requests, population } = this.#options
    await inParallel(population.shelves, 4, async (shelf) => {
      const call = await requests.make({ kind: 'receive', ...shelf, key: this.#key() })
      if (call.end !== 'ok')
        throw new Error(`Cannot stock ${shelf.bookid}: ${call.status} ${JSON.stringify(call.body)}`)
    })
    await this.#desk.setRules(this.#options.rules)
  }

  /** From now on books have rules. @throws when that fails. */
  async setRules(): Promise<void> {
    await this.#desk.setRules(this.#options.population.rules)
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
    await this.#desk.close()
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
      if (made) await requests.make(this.#cancelOf(made))
    } else if (habit === 'attend the desk') {
      const made = this.#atDesk()
      if (made) await this.#desk.attend(made, idOf(made))
    } else if (habit === 'block at the desk') {
      const made = this.#atDesk()
      if (made) await this.#blockAtDesk(made)
    } else if (habit === 'cancel twice') {
      const made = this.#remembered()
      if (made) await Promise.all([requests.make(cancelOf(made)), requests.make(cancelOf(made))])
    } else if (habit === 'reserve') await this.#reserve()
    else if (habit === 'queue up') await this.#reserve(this.#ruledBook())
    else if (habit === 'reach the limit') await this.#reachLimit()
    else await this.#simple(habit)
  }

  #atDesk(): Call | undefined {
    return this.#remembered((it) => answerOf(it) !== undefined && this.#desk.needs(it.bookid!, idOf(it)))
  }

  /** A customer who is blocked wants their copy, sometimes before stock knows of the block. */
  async #blockAtDesk(made: Call): Promise<void> {
    const { requests, random } = this.#options
    const userid = made.userid!
    await requests.make({ kind: 'block', userid, more: { reason: 'Overdue.' } })
    await sleep(random.between(0, blockedMaxMs))
    await this.#desk.handOver(made, idOf(made))
    if (random.chance(0.8)) await requests.make({ kind: 'unblock', userid })
  }

  async #reserve(wanted?: string): Promise<Call | undefined> {
    const { requests, population, random } = this.#options
    const bookid = wanted ?? population.wanted(random)
    const userid = population.reader(random)
    const key = random.chance(0.75) ? this.#key() : undefined
    const waitS = random.chance(0.25) ? waitMaxS : 0
    const more = this.#wishes(bookid)
    const call = await requests.make({
      kind: 'reserve',
      bookid,
      userid,
      waitS,
      key,
      ...(more ? { more } : {}),
    })
    return this.#remember(call)
  }

  #wishes(bookid: string): Record<string, unknown> | undefined {
    const { rules, random, activeMax } = this.#options
    if (rules.has(bookid) && random.chance(0.1)) return { wait: false }
    // Staff make it.
    return activeMax > 0 && random.chance(0.05) ? { overLimit: true } : undefined
  }

  #remember(call: Call): Call | undefined {
    if (call.end !== 'ok') return undefined
    // There is little to do about one that was refused at once.
    const { status } = call.body as Reservation
    if (this.#options.activeMax > 0 && status === 'Failed' && this.#options.random.chance(0.9))
      return undefined
    this.#made.push(call)
    if (this.#made.length > rememberedMax) this.#made.shift()
    return call
  }

  /** A customer asks for twice as many reservations as they may have, all at once, and each of them twice. */
  async #reachLimit(): Promise<void> {
    const { requests, population, random, activeMax } = this.#options
    // Those who reserve often are at their limit already.
    const userid = random.pick(population.users)
    const wanted = range(2 * activeMax).map(() => ({ bookid: population.wanted(random), key: this.#key() }))
    await Promise.all(
      random.shuffled([...wanted, ...wanted]).map(async ({ bookid, key }) => {
        this.#remember(await requests.make({ kind: 'reserve', bookid, userid, key }))
      }),
    )
  }

  /** A book with rules that is wanted, if there is any. */
  #ruledBook(): string {
    const { population, rules, random } = this.#options
    let bookid = population.wanted(random)
    while (rules.size > 0 && !rules.has(bookid)) bookid = population.wanted(random)
    return bookid
  }

  async #simple(kind: Simple): Promise<void> {
    const asked = this.#ask(kind)
    if (!asked) return
    const call = await this.#options.requests.make(asked)
    if (kind === 'order' && call.end === 'ok') this.#ordered.push(call)
  }

  #ask(kind: Simple): Asked | undefined {
    const { population, random } = this.#options
    const made = this.#remembered()
    const bookid = population.delivered(random)
    if (kind === 'list') return { kind }
    if (kind === 'unblock') return { kind, userid: population.reader(random) }
    if (kind === 'block') return { kind, userid: population.reader(random), more: { reason: 'Overdue.' } }
    if (kind === 'withdraw' || kind === 'decline' || kind === 'set rules') return this.#desk.ask(kind)
    if (kind === 'order') return { kind, bookid, qty: 1 + random.below(3), key: this.#key() }
    if (kind === 'receive') return this.#arrival() ?? { kind, bookid, qty: random.below(4), key: this.#key() }
    if (!made) return undefined
    if (kind === 'cancel') return this.#cancelOf(made)
    if (kind === 'look') return { kind, reservationid: idOf(made), cause: made.id }
    return made.key ? { ...repeatable(made), kind, key: made.key, cause: made.id } : undefined
  }

  /** Sometimes the received copies are ordered ones. */
  #arrival(): Asked | undefined {
    const order = this.#options.random.chance(0.3) ? this.#ordered.shift() : undefined
    const purchase = order && answerOf<{ purchaseid: string }>(order)
    if (!purchase) return undefined
    const { bookid, qty } = order
    return { kind: 'receive', bookid, qty, purchaseid: purchase.purchaseid, key: this.#key() }
  }

  #remembered(which: (made: Call) => boolean = () => true): Call | undefined {
    const of = this.#made.filter(which)
    const made = of.length > 0 ? this.#options.random.pick(of) : undefined
    // A restore may have undone it.
    return made && answerOf(made) ? made : undefined
  }

  /** At the desk, staff cancel for customers who call. */
  #cancelOf(made: Call): Asked {
    const { rules, random } = this.#options
    const byStaff = rules.has(made.bookid!) && random.chance(0.3)
    const more = { cause: 'CustomerAsked', note: 'Called in the morning.' }
    return byStaff ? { ...cancelOf(made), more } : cancelOf(made)
  }

  #key(): string {
    return `key-${this.#keys++}`
  }
}

type Simple = Exclude<
  Habit,
  | 'queue up'
  | 'reach the limit'
  | 'reserve'
  | 'reserve and cancel'
  | 'cancel twice'
  | 'attend the desk'
  | 'block at the desk'
>

const repeatable = ({ bookid, userid, more }: Call) =>
  ({ bookid, userid, ...(more ? { more } : {}) }) as Asked

const idOf = (made: Call) => answerOf<Reservation>(made)!.reservationid

const cancelOf = (made: Call): Asked => ({ kind: 'cancel', reservationid: idOf(made), cause: made.id })
