/**
 * One receiver: a mail server, a webhook's host, a provider. It is given so much at a time, so often and so long, and
 * a rest when it is down or asks for one.
 *
 * V1. What is beyond a limit is not tried but deferred, at once: a receiver takes up no more of its channel than it answers.
 * V2. While it is down, one notice at a time finds out whether it is back.
 * V3. One that shares its channel with others has little of it at a time until it has answered quickly, and again when it
 *     does not: however slow it is, the rest is left to the others.
 * V4. A receiver that asks to be left alone (`Retry-After`) is, for every notice.
 */
import { TokenBucket } from 'limiter'
import type { Outcome } from '../delivery/delivery.ts'
import { Breaker, type BreakerLimits, breakerLimits } from './breaker.ts'

export type Limits = {
  /** Notices under way at a time. */
  concurrent: number
  /** The same for a receiver of which is not known that it is quick, if it shares its channel with others. */
  concurrentAtFirst?: number
  /** Notices a second, of this process; as many may come at once. Absent: as many as there are. */
  perSecond?: number
  /** The longest that one try may take. */
  limitMs: number
  breaker?: BreakerLimits
}

/** What came of a try, and what it says about the receiver. */
export type Tried = {
  outcome: Outcome
  /** The receiver itself is at fault, not this notice. */
  down?: boolean
  /** How long it wants to be left alone. */
  quietMs?: number
}

/** An answer within this is quick. */
const quickMs = 500

/** No receiver silences its channel for longer. */
const quietMaxMs = 60 * 60 * 1_000

export class Receiver {
  readonly #limits: Limits
  readonly #breaker: Breaker
  readonly #bucket: TokenBucket | undefined
  readonly #now: () => number
  #active = 0
  /** How many at a time it has earned. */
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

  /** How many notices may be in hand now, those under way included. */
  get capacity(): number {
    const room = this.#breaker.doubtful ? 1 - this.#active : this.#tokens()
    return this.#active + Math.max(0, Math.min(this.#width - this.#active, room))
  }

  /** Milliseconds until it may be tried again. */
  get restMs(): number {
    return Math.max(this.#breaker.restMs, this.#quietUntil - this.#now(), 0)
  }

  /** @returns what `send` makes of it, or `deferred`. */
  async run(send: (signal: AbortSignal) => Promise<Tried>): Promise<Outcome> {
    const { limitMs } = this.#limits
    const quietMs = this.#quietUntil - this.#now()
    if (quietMs > 0) return deferred('the receiver asked for a rest', quietMs)
    if (this.#active >= this.#width)
      return deferred('the receiver has its hands full', Math.max(busyMs, this.#lastTookMs))
    if (this.#breaker.probing) return deferred('the receiver is being tried', busyMs)
    // What the breaker is going to refuse takes no token.
    if (this.#breaker.restMs === 0 && this.#bucket?.tryRemoveTokens(1) === false)
      return deferred('the limit of notices a second is reached', this.#bucket.getWaitTime(1))
    this.#active++
    const from = this.#now()
    try {
      const tried = await this.#breaker.run(() => send(AbortSignal.timeout(limitMs)))
      if (tried.outcome.type !== 'deferred') this.#measure(this.#now() - from)
      return this.#heed(tried)
    } finally {
      this.#active--
    }
  }

  /** A quick answer earns it one more at a time, a slow one costs it all that it has earned. */
  #measure(tookMs: number): void {
    const { concurrent, concurrentAtFirst = concurrent } = this.#limits
    this.#lastTookMs = tookMs
    this.#width = tookMs < quickMs ? Math.min(this.#width + 1, concurrent) : concurrentAtFirst
  }

  #heed({ outcome, quietMs = 0 }: Tried): Outcome {
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

/** Full at the start. It holds the notices of a second, and one at the least. */
function bucketOf(perSecond: number): TokenBucket {
  const bucketSize = Math.max(1, perSecond)
  const bucket = new TokenBucket({ bucketSize, tokensPerInterval: perSecond, interval: 'second' })
  bucket.content = bucketSize
  return bucket
}
