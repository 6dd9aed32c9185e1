import { isPostgresAnswer } from './postgres.ts'
import { isReplyError } from './redis.ts'

/**
 * Shows whether a loop is running, and whether it succeeds. After each turn the loop beats or reports its failure, with the
 * pause until its next turn.
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

  /** The loop begins a turn. */
  turn(): void {
    this.#due = this.#now()
  }

  /** The loop has made progress, or found nothing to do. */
  beat(pauseMs = 0): void {
    this.#due = this.#now() + pauseMs
    this.#failingSince = undefined
  }

  /** The turn has failed. If a store answered, even with a refusal, the process is not at fault. */
  fail(error: unknown, pauseMs = 0): void {
    const failingSince = this.#failingSince ?? this.#now()
    this.beat(pauseMs)
    if (!isReplyError(error) && !isPostgresAnswer(error)) this.#failingSince = failingSince
  }

  /** Milliseconds since the loop should have turned. */
  get silentMs(): number {
    return Math.max(0, this.#now() - this.#due)
  }

  /** Milliseconds since the first of the failed turns; undefined if the last turn succeeded. */
  get failingMs(): number | undefined {
    return this.#failingSince === undefined ? undefined : this.#now() - this.#failingSince
  }
}
