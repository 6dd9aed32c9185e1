/** Waits between attempts: longer each time, up to a limit, with jitter so that not all return at once. */
import { setTimeout as sleep } from 'node:timers/promises'

export class Backoff {
  readonly #initialMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #attempt = 0

  constructor({
    initialMs,
    maxMs,
    random = Math.random,
  }: { initialMs: number; maxMs: number; random?: () => number }) {
    this.#initialMs = initialMs
    this.#maxMs = maxMs
    this.#random = random
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const ms = Math.min(this.#maxMs, this.#initialMs * 2 ** Math.min(this.#attempt++, 20))
    return ms * (0.5 + this.#random() / 2)
  }

  /** Waits for the next attempt, or until `signal` is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    await sleep(this.next(), undefined, { signal }).catch(() => {})
  }

  reset(): void {
    this.#attempt = 0
  }
}
