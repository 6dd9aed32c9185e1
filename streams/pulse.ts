import { isPostgresAnswer } from './postgres.ts'
import { isReplyError } from './redis.ts'

/**
 * Shows whether a loop turns, and whether anything comes of its turns. After each turn the loop beats or reports its failure,
 * with the time that it rests until the next.
 */
export class Pulse {
  readonly name: string
  readonly #now: () => number
  #due: number
  #failingSince: number | undefined

  /** @param now a monotonic clock in milliseconds. */
  constructor(name: string, now: () => number = () => performance.now()) {
    this.name = name
    this.#now = now
    this.#due = now()
  }

  /** The loop begins a turn: whatever it did before that took time is over. */
  turn(): void {
    this.#due = this.#now()
  }

  /** The loop has made progress, or has found nothing to do. */
  beat(restMs = 0): void {
    this.#due = this.#now() + restMs
    this.#failingSince = undefined
  }

  /** The loop has turned in vain. Where a store has answered, although with a refusal, the process is not at fault. */
  fail(error: unknown, restMs = 0): void {
    const failingSince = this.#failingSince ?? this.#now()
    this.beat(restMs)
    if (!isReplyError(error) && !isPostgresAnswer(error)) this.#failingSince = failingSince
  }

  /** Milliseconds for which the loop has not turned, beyond its rest. */
  get silentMs(): number {
    return Math.max(0, this.#now() - this.#due)
  }

  /** Milliseconds since the first of the turns that failed; undefined if the last did not. */
  get failingMs(): number | undefined {
    return this.#failingSince === undefined ? undefined : this.#now() - this.#failingSince
  }
}
