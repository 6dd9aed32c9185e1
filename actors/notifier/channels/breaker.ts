/**
 * Leaves a receiver alone that is down: after some failures in a row it rests, and then one attempt shows whether it is back.
 */
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
  isBrokenCircuitError,
} from 'cockatiel'
import type { Outcome } from '../delivery/delivery.ts'

/** The result of an attempt, and what it shows about the receiver. */
export type Tried = {
  outcome: Outcome
  /** The receiver itself failed, whatever the notice. */
  down?: boolean
  /** How long the receiver asks to be left alone. */
  quietMs?: number
}

export type BreakerLimits = {
  /** Failures in a row. */
  failuresMax: number
  restMs: number
}
export const breakerLimits: BreakerLimits = { failuresMax: 5, restMs: 10_000 }

export class Breaker {
  readonly #policy
  readonly #limits: BreakerLimits
  readonly #now: () => number
  #restUntil = 0

  constructor(limits = breakerLimits, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
    this.#policy = circuitBreaker(
      handleWhenResult((tried) => (tried as Tried).down === true),
      { halfOpenAfter: limits.restMs, breaker: new ConsecutiveBreaker(limits.failuresMax) },
    )
    this.#policy.onBreak(() => {
      this.#restUntil = this.#now() + this.#limits.restMs
    })
  }

  /** Milliseconds until the next attempt. */
  get restMs(): number {
    return Math.max(0, this.#restUntil - this.#now())
  }

  /** Whether the receiver was down at the last attempt. */
  get doubtful(): boolean {
    return this.#policy.state !== CircuitState.Closed
  }

  /** Whether that one attempt is running. */
  get probing(): boolean {
    return this.#policy.state === CircuitState.HalfOpen
  }

  /** @returns the result of `send`, or `deferred` while the receiver rests. */
  async run(send: () => Promise<Tried>): Promise<Tried> {
    try {
      return await this.#policy.execute(send)
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error
      const afterMs = Math.max(this.restMs, 1_000)
      return { outcome: { type: 'deferred', error: 'The receiver is down', afterMs } }
    }
  }
}
