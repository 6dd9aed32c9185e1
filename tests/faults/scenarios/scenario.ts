/** A scenario: a fault, and the guarantees that must hold during it. */
import type { Stage } from '../stage.ts'
import type { Habits } from '../workload.ts'
import type { WorldOptions } from '../world.ts'

export type Needs = {
  /** Share of the reservations requested during the fault that must be accepted. */
  share?: number
  /** Whether a request with a key may be retried once. */
  afterRetry?: boolean
  /** Whether the 99th percentile may at most double. */
  fast?: boolean
  /** No response may take longer, except for requests with a wait. */
  promptMs?: number
  /** Whether 503 is the only allowed error. */
  only503?: boolean
  /** Whether no request of any kind may fail. */
  unnoticed?: boolean
  /** Limits after healing: until accepted reservations are decided; until the first reservation is accepted. */
  decidedMs?: number
  acceptedMs?: number
  /** Limit after connections died silently: until all is normal. */
  replacedMs?: number
}

export type Scenario = {
  name: string
  /** Describes it in one line. */
  title: string
  world?: WorldOptions
  /** Actions per second. */
  rate?: number
  habits?: Habits
  needs: Needs
  /** Whether it starts with an older version, whose checkout `--from` names. */
  fromOlder?: boolean
  /** @returns why it cannot run here; undefined if it can. */
  unable?(): Promise<string | undefined>
  /** Injects the fault, and heals it. */
  fault(stage: Stage): Promise<void>
}

/** For faults of stores and services that accepting does not need. */
export const acceptsAlways: Needs = { share: 0.999, fast: true, decidedMs: 30_000, acceptedMs: 5_000 }
