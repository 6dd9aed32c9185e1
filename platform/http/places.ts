/**
 * A limited number of places for requests that hold memory. There is no queue: a request that finds no free place is
 * refused at once, before it has any effect. One customer can take a few of them only, so that the others find some.
 */
import { Problem, Unavailable } from './problem.ts'

type PlacesOptions = {
  /** Per process. */
  max: number
  /** Of one customer, where callers are known. Without it there is no such limit. */
  perPersonMax?: number
  /** The error message when every place is taken. */
  refusal: string
}

const retryAfterS = 5

export class Places {
  readonly #options: PlacesOptions
  #taken = 0
  readonly #persons = new Map<string, number>()

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** How many places are taken. */
  get taken(): number {
    return this.#taken
  }

  /**
   * Takes a place until it is disposed.
   * @param person the customer that the caller is limited to, if there is such a limit.
   * @throws {Unavailable} when every place is taken.
   * @throws {Problem} 429 when this customer has taken as many as one may.
   */
  take(person?: string): Disposable {
    const { max, perPersonMax = max, refusal } = this.#options
    if (this.#taken >= max) throw new Unavailable(refusal, { retryAfterS })
    if (person !== undefined) {
      const taken = this.#persons.get(person) ?? 0
      if (taken >= perPersonMax) throw tooMany(perPersonMax)
      this.#persons.set(person, taken + 1)
    }
    this.#taken += 1
    return new Place(this.#giveBack, person)
  }

  readonly #giveBack = (person: string | undefined): void => {
    this.#taken -= 1
    if (person === undefined) return
    const left = this.#persons.get(person)! - 1
    if (left === 0) this.#persons.delete(person)
    else this.#persons.set(person, left)
  }
}

const tooMany = (max: number) =>
  new Problem('too-many-requests', {
    detail: `A customer may have ${max} requests held open at a time.`,
    headers: { 'retry-after': String(retryAfterS) },
  })

class Place implements Disposable {
  #giveBack: ((person: string | undefined) => void) | undefined
  readonly #person: string | undefined

  constructor(giveBack: (person: string | undefined) => void, person: string | undefined) {
    this.#giveBack = giveBack
    this.#person = person
  }

  [Symbol.dispose](): void {
    this.#giveBack?.(this.#person)
    this.#giveBack = undefined
  }
}
