/** A fault, how it is brought about, and what must be kept up during it. */
import type { Stage } from '../stage.ts'
import type { Habits } from '../workload.ts'
import type { WorldOptions } from '../world.ts'

export type Needs = {
  /** Of the reservations asked for during the fault, the share that must be accepted. */
  share?: number
  /** Whether a request with a key may be asked once more. */
  afterRetry?: boolean
  /** Whether the 99th percentile may be at most twice what it is without a fault. */
  fast?: boolean
  /** No answer may take longer, save those that were asked to wait. */
  promptMs?: number
  /** Whether 503 is the only excuse. */
  only503?: boolean
  /** Whether no request may fail, of whatever kind. */
  unnoticed?: boolean
  /** After healing: until what had been accepted is decided; until the first reservation is accepted. */
  decidedMs?: number
  acceptedMs?: number
  /** After connections have died without a word: until all is as usual. */
  replacedMs?: number
}

export type Scenario = {
  name: string
  /** What it does, in a line. */
  title: string
  world?: WorldOptions
  /** Acts a second. */
  rate?: number
  habits?: Habits
  needs: Needs
  /** Whether it begins with an older version, a checkout of which has to be named. */
  fromOlder?: boolean
  /** @returns why it cannot be run here; undefined if it can. */
  unable?(): Promise<string | undefined>
  /** Hurts the system, and heals it again. */
  fault(stage: Stage): Promise<void>
}

/** While a store or a service that accepting does not need is hurt. */
export const acceptsAlways: Needs = { share: 0.999, fast: true, decidedMs: 30_000, acceptedMs: 5_000 }
