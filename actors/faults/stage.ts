/** What a scenario is given to do its harm with. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../config.ts'
import type { ServiceProcess } from '../testing/service-process.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import type { Requests } from './requests.ts'
import type { World } from './world.ts'

/** Something that leaves in doubt what was done just before it. */
export type Harm = { what: 'notifier' | 'postgres crash'; from: number; to: number }

/** A message that must become a dead letter. */
export type PlacedPoison = { service: ServiceName; partition: number; position: string }

export type Burst = { capacity: number; goodput: number }

/** When connections died without a word, and how long after that the work of the time was done. */
export type Replacement = { at: number; workedAfterMs: number }

export type StageOptions = {
  world: World
  history: History
  requests: Requests
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
  readonly secondsMax: number
  /** Reservations accepted a second: by as many as keep it busy, and by five times as many. */
  burst: Burst | undefined
  replacement: Replacement | undefined
  readonly #history: History

  constructor({ world, history, requests, random, secondsMax }: StageOptions) {
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

  anyOf(service: ServiceName): ServiceProcess {
    return this.random.pick(this.world.processes[service].filter(({ running }) => running))
  }
}
