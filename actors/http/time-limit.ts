/**
 * How long a request may take.
 *
 * A dependency that is down must not keep a client waiting, however often a route asks it. So the frame of all routes
 * (`app.ts`) limits the whole request, from the moment that it has arrived, and no route can forget to. A wait that the
 * client asked for, or that the route documents, does not count: the route says so with `wait`.
 */
import type { Context } from 'hono'
import { Unavailable } from './problem.ts'

/** A 503 is promised within 2 s: the rest is for a process that is busy. */
export const answerWithinMs = 1_800

/** The runtime keeps a list of timers for each duration: few different ones cost little, and thousands much. */
const stepMs = 100

const contextKey = 'timeLimit'

export class TimeLimit {
  #leftMs: number
  #since = 0
  #timer: NodeJS.Timeout | undefined
  #expired = false
  #expire = () => {}

  /** Begins to count. `end` must follow. */
  constructor(limitMs = answerWithinMs) {
    this.#leftMs = limitMs
    this.#count()
  }

  static begin(c: Context): TimeLimit {
    const limit = new TimeLimit()
    c.set(contextKey, limit)
    return limit
  }

  static of(c: Context): TimeLimit {
    return c.get(contextKey)
  }

  /** How much of the time is left, milliseconds. */
  get leftMs(): number {
    const counted = this.#timer ? performance.now() - this.#since : 0
    return Math.max(0, this.#leftMs - counted)
  }

  /**
   * @param discard is given what the work comes to when that is too late.
   * @throws {Unavailable} when the time is up. The work goes on, and its outcome is ignored.
   */
  hold<T>(work: Promise<T>, discard: (late: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#expire = () => {
        this.#expired = true
        reject(tooLate())
      }
      work.then((it) => (this.#expired ? discard(it) : resolve(it)), reject)
    })
  }

  /** @throws {Unavailable} when the time is up: nothing is begun any more for a request that was answered. */
  check(): void {
    if (this.#expired) throw tooLate()
  }

  /** Waits for something that may take longer than the limit: meanwhile no time is counted. */
  async wait<T>(awaited: Promise<T>): Promise<T> {
    this.end()
    try {
      return await awaited
    } finally {
      this.#count()
    }
  }

  /** Stops counting. */
  end(): void {
    this.#leftMs = this.leftMs
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #count(): void {
    if (this.#expired) return
    this.#since = performance.now()
    const steps = Math.ceil(this.#leftMs / stepMs)
    this.#timer = setTimeout(() => this.#expire(), steps * stepMs)
  }
}

const tooLate = () => new Unavailable('A store does not answer in time.')
