/** The books and the customers of the workload. A few books are in great demand, and every second one has rules. */
import type { BookRules } from '../../actors/messages.ts'
import { range } from '../doubles/eventually.ts'
import type { Random } from './random.ts'
import { Zipf } from './random.ts'

export type Shelf = { bookid: string; qty: number }

const hotBooks = 3
const coldBooks = 21
const unknownBooks = 2
const userCount = 20
/** Few, so that queues form. */
const ruledCopies = 3

const library: BookRules = {
  queueMax: 12,
  queuePerCopy: 3,
  pickupDays: 3,
  pullStep: true,
  onePerBook: true,
  waitDays: 90,
  lend: true,
}
/** A large queue, a library, copies that are on the shelf at once, a shop, and a shelf without a queue. */
const rules: BookRules[] = [
  { ...library, queueMax: 1_000, queuePerCopy: null, onePerBook: false },
  library,
  { ...library, pullStep: false, onePerBook: false },
  { queueMax: 20, pickupDays: 7, pullStep: true, waitDays: 180 },
  { ...library, queueMax: 0, onePerBook: false },
]

export class Population {
  /** The initial stock: many copies of popular books, few or none of the rest. */
  readonly shelves: Shelf[]
  /** Of the books that have some. */
  readonly rules: Map<string, BookRules>
  readonly users: string[]
  readonly #books: Zipf<string>
  readonly #known: Zipf<string>
  readonly #people: Zipf<string>

  constructor(random: Random) {
    this.shelves = range(hotBooks + coldBooks).map((index) => ({
      bookid: `book-${index}`,
      qty: index < hotBooks ? 60 : random.below(5),
    }))
    const ruled = this.shelves.filter((_, index) => index % 2 === 1)
    this.rules = new Map(ruled.map(({ bookid }, index) => [bookid, rules[index % rules.length]!]))
    for (const shelf of ruled) shelf.qty = Math.min(shelf.qty, ruledCopies)
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
