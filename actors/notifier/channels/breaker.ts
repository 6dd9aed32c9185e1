/** Keeps a receiver that is down from being tried over and over: after some failures in a row it gets a rest. */
import { ConsecutiveBreaker, circuitBreaker, handleWhenResult, isBrokenCircuitError } from 'cockatiel'
import type { Outcome } from '../delivery.ts'

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
      handleWhenResult((outcome) => (outcome as Outcome).type === 'retry'),
      { halfOpenAfter: limits.restMs, breaker: new ConsecutiveBreaker(limits.failuresMax) },
    )
    this.#policy.onBreak(() => {
      this.#restUntil = this.#now() + this.#limits.restMs
    })
  }

  /** Milliseconds until the receiver may be tried again. */
  get restMs(): number {
    return Math.max(0, this.#restUntil - this.#now())
  }

  /** @returns what `send` makes of it, or `deferred` while the receiver rests. */
  async run(send: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await this.#policy.execute(send)
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error
      return { type: 'deferred', error: 'the receiver is down', afterMs: Math.max(this.restMs, 1_000) }
    }
  }
}
