/** Wakes a loop that waits. A ring while nobody waits is kept for the next who does. */
export class Bell {
  #rung = false
  #wake = () => {}

  ring(): void {
    this.#rung = true
    this.#wake()
  }

  /** Waits for a ring, but not longer than `ms`, nor beyond the abortion of `signal`. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = () => resolve()
      const timer = setTimeout(stop, ms)
      signal.addEventListener('abort', stop, { once: true })
      this.#wake = stop
      await promise
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      this.#wake = () => {}
    }
    this.#rung = false
  }
}
