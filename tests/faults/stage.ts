/** The tools of a scenario for injecting its fault. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../platform/config.ts'
import type { ServiceProcess } from '../harness/service-process.ts'
import type { Harm } from './harm.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'
import type { Workload } from './workload.ts'
import type { World } from './world.ts'

/** A message that must become a dead letter. */
export type PlacedPoison = { service: ServiceName; partition: number; position: string }

export type Burst = { capacity: number; goodput: number }

/** When connections died silently, and how long after that all work was done. */
export type Replacement = { at: number; workedAfterMs: number }

export type StageOptions = {
  world: World
  history: History
  requests: Requests
  workload: Pick<Workload, 'start' | 'stop' | 'setRules'>
  random: Random
  /** Longest single fault. */
  secondsMax: number
}

export class Stage {
  readonly world: World
  readonly requests: Requests
  readonly random: Random
  readonly harms: Harm[] = []
  readonly poison: PlacedPoison[] = []
  /** Entries written into event streams: partition and id. */
  readonly slippedIn = new Set<string>()
  readonly secondsMax: number
  /** Accepted reservations per second: with enough clients to keep it busy, and with five times as many. */
  burst: Burst | undefined
  replacement: Replacement | undefined
  readonly #history: History
  readonly #workload: StageOptions['workload']

  constructor({ world, history, requests, workload, random, secondsMax }: StageOptions) {
    this.#workload = workload
    this.world = world
    this.requests = requests
    this.random = random
    this.secondsMax = secondsMax
    this.#history = history
  }

  /** Records an event in the history. */
  note(text: string): void {
    this.#history.note(text)
  }

  /** Waits, but no longer than a single fault may last. */
  async seconds(seconds: number): Promise<void> {
    await sleep(Math.min(seconds, this.secondsMax) * 1_000)
  }

  /** Repeats an action for this time, `everyMs` apart. */
  async often(seconds: number, everyMs: number, act: () => Promise<unknown>): Promise<void> {
    const end = Date.now() + Math.min(seconds, this.secondsMax) * 1_000
    while (Date.now() < end) {
      await act()
      await sleep(everyMs * this.random.between(0.5, 1.5))
    }
  }

  /** Runs an action that leaves the outcome of work just before it in doubt. */
  async harm<Result>(what: Harm['what'], act: () => Promise<Result>): Promise<Result> {
    const harm: Harm = { what, from: Date.now(), to: Number.POSITIVE_INFINITY }
    this.harms.push(harm)
    try {
      return await act()
    } finally {
      harm.to = Date.now()
    }
  }

  /** Stops the load until `resume`, and waits for requests in flight. */
  async pause(): Promise<void> {
    await this.#workload.stop()
  }

  /** From now on books have rules. */
  async setRules(): Promise<void> {
    await this.#workload.setRules()
  }

  resume(): void {
    this.#workload.start()
  }

  /** Runs an action without load. */
  async whileNobodyAsks(act: () => Promise<void>): Promise<void> {
    await this.pause()
    await act()
    this.resume()
  }

  /** Work between these times was undone by a restore. Streams may have shown it for longer. */
  undo(from: number, to: number, shownUntil: number): void {
    this.#history.undo(from, to, shownUntil)
  }

  anyOf(service: ServiceName): ServiceProcess {
    return this.random.pick(this.world.processes[service].filter(({ running }) => running))
  }
}
