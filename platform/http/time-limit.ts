/**
 * The time limit of a request.
 *
 * A dependency that is down must not keep a client waiting, however often a route calls it. So the frame of all
 * routes (`app.ts`) limits the whole request from its arrival, and no route can forget to. A wait that the client
 * requested, or that the route documents, does not count: the route calls `pause` and `resume`.
 */
import type { Context } from 'hono'
import { Unavailable } from './problem.ts'

/** The promise is a 503 within 2 s; the rest is a margin for a busy process. */
export const answerWithinMs = 1_800

/** How often one timer checks all running limits. A timer per request would cost more. */
const lookEveryMs = 50

/** A property instead of a Hono variable, because the first variable makes Hono create a map. */
const key = Symbol('timeLimit')
type Limitable = Context & { [key]?: TimeLimit }

type Limited = {
  /** Called once, when the time is up. */
  expire(): void
}

export class TimeLimit {
  #leftMs: number
  #since = 0
  #expired = false
  #limited: Limited | undefined

  /** Starts counting. `end` must follow. */
  constructor(limited: Limited, limitMs = answerWithinMs) {
    this.#limited = limited
    this.#leftMs = limitMs
    this.#count()
  }

  static begin(c: Context, limited: Limited): TimeLimit {
    const limit = new TimeLimit(limited)
    ;(c as Limitable)[key] = limit
    return limit
  }

  static of(c: Context): TimeLimit {
    return (c as Limitable)[key]!
  }

  /** Milliseconds left. */
  get leftMs(): number {
    const counted = counting.has(this) ? performance.now() - this.#since : 0
    return Math.max(0, this.#leftMs - counted)
  }

  get expired(): boolean {
    return this.#expired
  }

  /** @throws {Unavailable} when the time is up: no work may begin for a request that was answered. */
  check(): void {
    if (this.#expired) throw tooLate()
  }

  /** Stops counting until `resume`, for a wait that may take longer than the limit. */
  pause(): void {
    this.#leftMs = this.leftMs
    counting.delete(this)
  }

  resume(): void {
    if (!this.#expired) this.#count()
  }

  /**
   * Drops the reference to the request. When an old Set grows it leaves its former table behind, and whatever that
   * table refers to survives many collections.
   */
  end(): void {
    counting.delete(this)
    this.#limited = undefined
  }

  /** Called regularly while time is counted. */
  look(now: number): void {
    if (now - this.#since < this.#leftMs) return
    counting.delete(this)
    this.#leftMs = 0
    this.#expired = true
    this.#limited?.expire()
  }

  #count(): void {
    this.#since = performance.now()
    counting.add(this)
    looking ??= setInterval(lookAtAll, lookEveryMs)
  }
}

export const tooLate = () => new Unavailable('A store did not respond in time.')

const counting = new Set<TimeLimit>()
let looking: NodeJS.Timeout | undefined

function lookAtAll(): void {
  const now = performance.now()
  for (const limit of counting) limit.look(now)
  if (counting.size > 0) return
  clearInterval(looking)
  looking = undefined
}
