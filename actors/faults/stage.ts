/** What a scenario is given to do its harm with. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../config.ts'
import type { ServiceProcess } from '../testing/service-process.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'
import type { Workload } from './workload.ts'
import type { World } from './world.ts'

/** Something that leaves in doubt what was done just before it. */
export type Harm = { what: 'notifier'; from: number; to: number }

/** A message that must become a dead letter. */
export type PlacedPoison = { service: ServiceName; partition: number; position: string }

export type Burst = { capacity: number; goodput: number }

/** When connections died without a word, and how long after that the work of the time was done. */
export type Replacement = { at: number; workedAfterMs: number }

export type StageOptions = {
  world: World
  history: History
  requests: Requests
  workload: Pick<Workload, 'start' | 'stop'>
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
  /** What was written into event streams: partition and id. */
  readonly slippedIn = new Set<string>()
  readonly secondsMax: number
  /** Reservations accepted a second: by as many as keep it busy, and by five times as many. */
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

  /** Tells the history what happens. */
  note(text: string): void {
    this.#history.note(text)
  }

  /** Lets so much time pass, but no more than a single fault may last. */
  async seconds(seconds: number): Promise<void> {
    await sleep(Math.min(seconds, this.secondsMax) * 1_000)
  }

  /** Does it again and again for so long, `everyMs` apart. */
  async often(seconds: number, everyMs: number, act: () => Promise<unknown>): Promise<void> {
    const end = Date.now() + Math.min(seconds, this.secondsMax) * 1_000
    while (Date.now() < end) {
      await act()
      await sleep(everyMs * this.random.between(0.5, 1.5))
    }
  }

  /** Does something after which it is in doubt what was done shortly before. */
  async harm<Result>(what: Harm['what'], act: () => Promise<Result>): Promise<Result> {
    const harm: Harm = { what, from: Date.now(), to: Number.POSITIVE_INFINITY }
    this.harms.push(harm)
    try {
      return await act()
    } finally {
      harm.to = Date.now()
    }
  }

  /** Nobody asks for anything until `resume`, and nothing that was asked is under way. */
  async pause(): Promise<void> {
    await this.#workload.stop()
  }

  resume(): void {
    this.#workload.start()
  }

  /** Does something while nobody asks for anything. */
  async whileNobodyAsks(act: () => Promise<void>): Promise<void> {
    await this.pause()
    await act()
    this.resume()
  }

  /** What was done between these times was undone by a backup. Streams may have shown it for longer. */
  undo(from: number, to: number, shownUntil: number): void {
    this.#history.undo(from, to, shownUntil)
  }

  anyOf(service: ServiceName): ServiceProcess {
    return this.random.pick(this.world.processes[service].filter(({ running }) => running))
  }
}
