/** Wakes a loop that waits. A wake-up that comes while the loop is busy ends its next wait at once. */
export class WakeSignal {
  #pending = false
  #resolve = () => {}

  wake(): void {
    this.#pending = true
    this.#resolve()
  }

  /** Resolves at the next wake-up, after `ms`, or when `signal` is aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = () => resolve()
      const timer = setTimeout(stop, ms)
      signal.addEventListener('abort', stop, { once: true })
      this.#resolve = stop
      await promise
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      this.#resolve = () => {}
    }
    this.#pending = false
  }
}

/**
 * Calls `wake` when the notices of a commit become due. One timer at a time: notices that are committed while it runs become
 * due at its end or a little later, so it then runs once more.
 */
export class DelayedWake {
  readonly #delayMs: number
  readonly #wake: () => void
  #running = false
  #again = false

  constructor(delayMs: number, wake: () => void) {
    this.#delayMs = delayMs
    this.#wake = wake
  }

  schedule(): void {
    this.#again = true
    if (!this.#running) this.#start()
  }

  #start(): void {
    this.#running = true
    this.#again = false
    // Unref'd, so that it does not delay the end of the process. A little late, so that the notices are certainly due.
    setTimeout(() => {
      this.#running = false
      this.#wake()
      if (this.#again) this.#start()
    }, this.#delayMs + 2).unref()
  }
}
