/** Tells whether a loop still turns. A loop beats once per turn, also when it found nothing to do or failed. */
export class Pulse {
  readonly name: string
  readonly #now: () => number
  #last: number

  /** @param now a monotonic clock in milliseconds. */
  constructor(name: string, now: () => number = () => performance.now()) {
    this.name = name
    this.#now = now
    this.#last = now()
  }

  beat(): void {
    this.#last = this.#now()
  }

  /** Milliseconds since the last turn. */
  get silentMs(): number {
    return this.#now() - this.#last
  }
}
