/** The books and the people of the workload. Few books are wanted by many. */
import { range } from '../testing/eventually.ts'
import type { Random } from './random.ts'
import { Zipf } from './random.ts'

export type Shelf = { bookid: string; qty: number }

const hotBooks = 3
const coldBooks = 21
const unknownBooks = 2
const userCount = 20

export class Population {
  /** What is on the shelves at the beginning: many copies of what many want, few or none of the rest. */
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

  /** A book that somebody wants; perhaps one that was never here. */
  wanted(random: Random): string {
    return this.#books.pick(random)
  }

  /** A book that copies arrive of. */
  delivered(random: Random): string {
    return this.#known.pick(random)
  }

  reader(random: Random): string {
    return this.#people.pick(random)
  }
}

/** Has left no address: is told on the console and in the chat alone. */
export const stranger = 'stranger'

export const emailOf = (userid: string): string => `${userid}@readers.example`

/** Which of the two is tried first. */
export const preferenceOf = (userid: string): ('email' | 'webhook')[] =>
  Number(userid.split('-')[1]) % 2 === 0 ? ['email', 'webhook'] : ['webhook', 'email']
