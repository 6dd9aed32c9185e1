/**
 * Keeps a receiver that is down from being tried over and over: after some failures in a row it gets a rest, and then
 * one try, which tells whether it is back.
 */
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
  isBrokenCircuitError,
} from 'cockatiel'
import type { Tried } from './receiver.ts'

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

  /** Milliseconds until the receiver may be tried again. */
  get restMs(): number {
    return Math.max(0, this.#restUntil - this.#now())
  }

  /** The receiver was down when it was last tried. */
  get doubtful(): boolean {
    return this.#policy.state !== CircuitState.Closed
  }

  /** The one try is under way. */
  get probing(): boolean {
    return this.#policy.state === CircuitState.HalfOpen
  }

  /** @returns what `send` makes of it, or `deferred` while the receiver rests. */
  async run(send: () => Promise<Tried>): Promise<Tried> {
    try {
      return await this.#policy.execute(send)
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error
      const afterMs = Math.max(this.restMs, 1_000)
      return { outcome: { type: 'deferred', error: 'the receiver is down', afterMs } }
    }
  }
}
