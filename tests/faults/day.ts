/** A system at work: its world, workload, history and observer. Faults come later. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, inParallel } from '../doubles/eventually.ts'
import type { Period } from './availability.ts'
import { History } from './history.ts'
import { Observer } from './observer.ts'
import { emailOf, Population, preferenceOf } from './population.ts'
import { Random } from './random.ts'
import { Requests } from './requests.ts'
import { measure, type Resources } from './resources.ts'
import { Stage } from './stage.ts'
import { type Habits, Workload } from './workload.ts'
import { World, type WorldOptions } from './world.ts'

const normalMs = 2_000
/** Actions per second by default. */
const usualRate = 80

export type DayOptions = {
  seed: number
  /** Longest single fault. */
  secondsMax: number
  world?: WorldOptions | undefined
  rate?: number | undefined
  habits?: Habits | undefined
}

export class Day implements AsyncDisposable {
  readonly world: World
  readonly history: History
  readonly requests: Requests
  readonly workload: Workload
  readonly stage: Stage
  readonly observer: Observer
  readonly #users: string[]
  /** The time before the first fault. */
  normal: Period = { from: 0, to: 0 }
  before: Resources | undefined

  private constructor(world: World, { seed, secondsMax, rate = usualRate, habits }: DayOptions) {
    const random = new Random(seed)
    this.world = world
    this.history = new History(join(world.dir, 'history.jsonl'))
    this.requests = new Requests(world, this.history, random.fork())
    const population = new Population(random.fork())
    this.#users = population.users
    // A process that knows no rules must not run beside one that follows them.
    const rules: typeof population.rules = new Map(world.knowsRules ? population.rules : [])
    const people = {
      requests: this.requests,
      population,
      rules,
      random: random.fork(),
      activeMax: world.activeMax,
    }
    this.workload = new Workload({ ...people, rate, ...(habits ? { habits } : {}) })
    const { history, requests, workload } = this
    this.stage = new Stage({ world, history, requests, workload, random: random.fork(), secondsMax })
    this.observer = new Observer(world)
  }

  /** Starts under load; the first seconds have no fault. */
  static async begin(options: DayOptions): Promise<Day> {
    const day = new Day(await World.start(options.world), options)
    try {
      await day.#introduce()
      await day.workload.stockUp()
      day.workload.start()
      day.normal = { from: Date.now(), to: Date.now() + normalMs }
      await sleep(normalMs)
      day.before = await measure(day.world)
      return day
    } catch (error) {
      day.world.kept = true
      await day[Symbol.asyncDispose]()
      throw new Error(`${(error as Error).message}\nLogs and data are in ${day.world.dir}`, { cause: error })
    }
  }

  /** Every customer has an address and a webhook. Half prefer the one, half the other, with the other as fallback. */
  async #introduce(): Promise<void> {
    const { world } = this
    await inParallel(this.#users, 4, async (userid) => {
      const contact = {
        email: emailOf(userid),
        webhook: world.inbox.webhookUrl,
        channels: preferenceOf(userid),
      }
      const headers = (await world.callers?.headersOfCustomer(userid)) ?? {}
      // A busy machine may need another attempt.
      await eventually(
        async () => {
          const { status, body } = await world
            .next('notifier')
            .put(`/customers/${userid}`, contact, { headers })
          if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`)
          return true
        },
        { message: `Cannot introduce ${userid}` },
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workload.stop()
    await this.observer[Symbol.asyncDispose]()
    await this.world[Symbol.asyncDispose]()
    await this.history.close()
  }
}
