/**
 * A limited number of places for requests that cost memory while they last. Nobody waits for one: the request that finds
 * none is refused at once, before it has any effect, and all other requests go on.
 */
import { Unavailable } from './problem.ts'

export type PlacesOptions = {
  /** For each process. */
  max: number
  /** What is answered when every place is taken. */
  refusal: string
  /** Told how many are taken. */
  taken?: (count: number) => void
}

const retryAfterS = 5

export class Places {
  readonly #options: PlacesOptions
  #count = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /**
   * Takes a place, until it is disposed of.
   * @throws {Unavailable} when every place is taken.
   */
  take(): Disposable {
    const { max, refusal } = this.#options
    if (this.#count >= max) throw new Unavailable(refusal, { retryAfterS })
    this.#change(1)
    let taken = true
    return {
      [Symbol.dispose]: () => {
        if (taken) this.#change(-1)
        taken = false
      },
    }
  }

  #change(by: 1 | -1): void {
    this.#count += by
    this.#options.taken?.(this.#count)
  }
}
