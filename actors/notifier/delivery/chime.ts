/**
 * Rings when what was noted becomes due. One timer at a time: whatever is noted while it runs is due at its end or a
 * little later, and then it runs once more.
 */
export class Chime {
  readonly #delayMs: number
  readonly #ring: () => void
  #running = false
  #again = false

  constructor(delayMs: number, ring: () => void) {
    this.#delayMs = delayMs
    this.#ring = ring
  }

  note(): void {
    this.#again = true
    if (!this.#running) this.#start()
  }

  #start(): void {
    this.#running = true
    this.#again = false
    // Unref'd: a stopping process does not wait for it. A little late, so that nothing is found to be almost due.
    setTimeout(() => {
      this.#running = false
      this.#ring()
      if (this.#again) this.#start()
    }, this.#delayMs + 2).unref()
  }
}
