/** The books and the customers of the workload. A few books are in great demand. */
import { range } from '../doubles/eventually.ts'
import type { Random } from './random.ts'
import { Zipf } from './random.ts'

export type Shelf = { bookid: string; qty: number }

const hotBooks = 3
const coldBooks = 21
const unknownBooks = 2
const userCount = 20

export class Population {
  /** The initial stock: many copies of popular books, few or none of the rest. */
  readonly shelves: Shelf[]
  readonly users: string[]
  readonly #books: Zipf<string>
  readonly #known: Zipf<string>
  readonly #people: Zipf<string>

  constructor(random: Random) {
    this.shelves = range(hotBooks + coldBooks).map((index) => ({
      bookid: `book-${index}`,
      qty: index < hotBooks ? 60 : random.below(5),
    }))
    this.users = range(userCount).map((index) => `reader-${index}`)
    const known = this.shelves.map((it) => it.bookid)
    this.#known = new Zipf(known)
    this.#books = new Zipf([...known, ...range(unknownBooks).map((index) => `unheard-of-${index}`)])
    this.#people = new Zipf(this.users)
  }

  /** A book to reserve; sometimes an unknown one. */
  wanted(random: Random): string {
    return this.#books.pick(random)
  }

  /** A book to receive copies of. */
  delivered(random: Random): string {
    return this.#known.pick(random)
  }

  reader(random: Random): string {
    return this.#people.pick(random)
  }
}

/** A customer without an address, whose notices go only to console and chat. */
export const stranger = 'stranger'

export const emailOf = (userid: string): string => `${userid}@readers.example`

/** The channels in the customer's order. */
export const preferenceOf = (userid: string): ('email' | 'webhook')[] =>
  Number(userid.split('-')[1]) % 2 === 0 ? ['email', 'webhook'] : ['webhook', 'email']
