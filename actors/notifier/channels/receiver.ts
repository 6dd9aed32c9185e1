/**
 * One receiver: a mail server, a webhook's host, a provider. Calls to it are limited in number, rate and time, and it rests when
 * it is down or asks for that.
 *
 * V1. A notice beyond a limit is deferred at once, not queued, so that a receiver occupies no more of its channel than it can
 *     handle.
 * V2. While a receiver is down, one notice at a time tests whether it is back.
 * V3. A receiver that shares its channel starts with a small share. A fast answer raises the share, a slow one resets it. So
 *     most of the channel is left to the others, however slow the receiver is.
 * V4. A receiver's `Retry-After` holds for all of its notices.
 */
import { TokenBucket } from 'limiter'
import type { Outcome } from '../delivery/delivery.ts'
import { Breaker, type BreakerLimits, breakerLimits, type Tried } from './breaker.ts'

export type Limits = {
  /** The most notices in flight. */
  concurrent: number
  /** The same for a receiver that shares its channel and has not proved fast. */
  concurrentAtFirst?: number
  /** The most notices per second of this process, which may come in one burst. Default: no limit. */
  perSecond?: number
  /** The time limit of one attempt. */
  limitMs: number
  breaker?: BreakerLimits
}

/** An answer within this time is fast. */
const fastMs = 500

/** The longest rest that a receiver can ask for. */
const quietMaxMs = 60 * 60 * 1_000

export class Receiver {
  readonly #limits: Limits
  readonly #breaker: Breaker
  readonly #bucket: TokenBucket | undefined
  readonly #now: () => number
  #active = 0
  /** Its current share of the channel. */
  #width: number
  #lastTookMs = 0
  #quietUntil = 0

  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
    this.#width = limits.concurrentAtFirst ?? limits.concurrent
    this.#breaker = new Breaker(limits.breaker ?? breakerLimits, now)
    this.#bucket = limits.perSecond === undefined ? undefined : bucketOf(limits.perSecond)
  }

  /** How many notices may be in flight now, including those that are. */
  get capacity(): number {
    const room = this.#breaker.doubtful ? 1 - this.#active : this.#tokens()
    return this.#active + Math.max(0, Math.min(this.#width - this.#active, room))
  }

  /** Milliseconds until the next attempt. */
  get restMs(): number {
    return Math.max(this.#breaker.restMs, this.#quietUntil - this.#now(), 0)
  }

  /** @returns the outcome of `send`, or `deferred`. */
  async run(send: (signal: AbortSignal) => Promise<Tried>): Promise<Outcome> {
    const { limitMs } = this.#limits
    const quietMs = this.#quietUntil - this.#now()
    if (quietMs > 0) return deferred('The receiver asked to wait', quietMs)
    if (this.#active >= this.#width)
      return deferred('The receiver is busy', Math.max(busyMs, this.#lastTookMs))
    if (this.#breaker.probing) return deferred('The receiver is being tested', busyMs)
    // A notice that the breaker refuses must not take a token.
    if (this.#breaker.restMs === 0 && this.#bucket?.tryRemoveTokens(1) === false)
      return deferred('The rate limit is reached', this.#bucket.getWaitTime(1))
    this.#active++
    const from = this.#now()
    try {
      const tried = await this.#breaker.run(() => send(AbortSignal.timeout(limitMs)))
      if (tried.outcome.type !== 'deferred') this.#measure(this.#now() - from)
      return this.#applyRest(tried)
    } finally {
      this.#active--
    }
  }

  /** A fast answer adds one notice in flight, a slow one resets the share. */
  #measure(tookMs: number): void {
    const { concurrent, concurrentAtFirst = concurrent } = this.#limits
    this.#lastTookMs = tookMs
    this.#width = tookMs < fastMs ? Math.min(this.#width + 1, concurrent) : concurrentAtFirst
  }

  #applyRest({ outcome, quietMs = 0 }: Tried): Outcome {
    const asked = outcome.type === 'retry' ? Math.max(quietMs, outcome.afterMs ?? 0) : quietMs
    if (asked > 0) this.#quietUntil = Math.max(this.#quietUntil, this.#now() + Math.min(asked, quietMaxMs))
    return outcome
  }

  #tokens(): number {
    if (this.#bucket === undefined) return Number.POSITIVE_INFINITY
    this.#bucket.drip()
    return Math.floor(this.#bucket.content)
  }
}

const busyMs = 1_000
const deferred = (error: string, afterMs: number): Outcome => ({ type: 'deferred', error, afterMs })

/** Full at the start. Holds one second's notices, at least one. */
function bucketOf(perSecond: number): TokenBucket {
  const bucketSize = Math.max(1, perSecond)
  const bucket = new TokenBucket({ bucketSize, tokensPerInterval: perSecond, interval: 'second' })
  bucket.content = bucketSize
  return bucket
}
