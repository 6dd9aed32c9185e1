/**
 * A limited number of places for requests that hold memory. There is no queue: a request that finds no free place is
 * refused at once, before it has any effect.
 */
import { Unavailable } from './problem.ts'

export type PlacesOptions = {
  /** Per process. */
  max: number
  /** The error message when every place is taken. */
  refusal: string
}

const retryAfterS = 5

export class Places {
  readonly #options: PlacesOptions
  #taken = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** How many places are taken. */
  get taken(): number {
    return this.#taken
  }

  /**
   * Takes a place until it is disposed.
   * @throws {Unavailable} when every place is taken.
   */
  take(): Disposable {
    const { max, refusal } = this.#options
    if (this.#taken >= max) throw new Unavailable(refusal, { retryAfterS })
    this.#taken += 1
    return new Place(this.#giveBack)
  }

  readonly #giveBack = (): void => {
    this.#taken -= 1
  }
}

class Place implements Disposable {
  #giveBack: (() => void) | undefined

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  [Symbol.dispose](): void {
    this.#giveBack?.()
    this.#giveBack = undefined
  }
}
