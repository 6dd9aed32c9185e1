/**
 * How long a request may take.
 *
 * A dependency that is down must not keep a client waiting, however often a route asks it. So the frame of all routes
 * (`app.ts`) limits the whole request, from the moment that it has arrived, and no route can forget to. A wait that the
 * client asked for, or that the route documents, does not count: the route says so with `pause` and `resume`.
 */
import type { Context } from 'hono'
import { Unavailable } from './problem.ts'

/** A 503 is promised within 2 s: the rest is for a process that is busy. */
export const answerWithinMs = 1_800

/** One timer looks at all limits that count, so often. A timer for each request, and each wait, would cost more. */
const lookEveryMs = 50

/** A property, and no variable of Hono's: for the first of these it makes a map. */
const key = Symbol('timeLimit')
type Limitable = Context & { [key]?: TimeLimit }

export type Limited = {
  /** Called once, when the time is up. */
  expire(): void
}

export class TimeLimit {
  #leftMs: number
  #since = 0
  #expired = false
  #limited: Limited | undefined

  /** Begins to count. `end` must follow. */
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

  /** How much of the time is left, milliseconds. */
  get leftMs(): number {
    const counted = counting.has(this) ? performance.now() - this.#since : 0
    return Math.max(0, this.#leftMs - counted)
  }

  get expired(): boolean {
    return this.#expired
  }

  /** @throws {Unavailable} when the time is up: nothing is begun any more for a request that was answered. */
  check(): void {
    if (this.#expired) throw tooLate()
  }

  /** Counts no time until `resume`: what is waited for may take longer than the limit. */
  pause(): void {
    this.#leftMs = this.leftMs
    counting.delete(this)
  }

  resume(): void {
    if (!this.#expired) this.#count()
  }

  /**
   * Lets go of what was limited. A Set that has grown old leaves a table behind whenever it makes a new one, and what the old table
   * refers to outlives many collections.
   */
  end(): void {
    counting.delete(this)
    this.#limited = undefined
  }

  /** Called now and then while time is counted. */
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

export const tooLate = () => new Unavailable('A store does not answer in time.')

const counting = new Set<TimeLimit>()
let looking: NodeJS.Timeout | undefined

function lookAtAll(): void {
  const now = performance.now()
  for (const limit of counting) limit.look(now)
  if (counting.size > 0) return
  clearInterval(looking)
  looking = undefined
}
