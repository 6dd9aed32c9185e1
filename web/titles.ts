/** The titles of books, which reservations lack. Remembered for a minute: a list shows the same books again and again. */
import type { Apis } from './apis/apis.ts'
import { part } from './part.ts'

export type Title = { title: string; author: string }

const keptMs = 60_000
const titlesMax = 10_000

export class Titles {
  readonly #apis: Apis
  readonly #known = new Map<string, Title & { until: number }>()

  constructor(apis: Apis) {
    this.#apis = apis
  }

  /** @returns those that are found. A service that is down costs the titles, not the page. */
  async of(bookids: Iterable<string>): Promise<Map<string, Title>> {
    const found = new Map<string, Title>()
    await Promise.all(
      [...new Set(bookids)].map(async (bookid) => {
        const title = this.#fresh(bookid) ?? (await this.#read(bookid))
        if (title) found.set(bookid, title)
      }),
    )
    return found
  }

  #fresh(bookid: string): Title | undefined {
    const known = this.#known.get(bookid)
    return known && known.until > performance.now() ? known : undefined
  }

  async #read(bookid: string): Promise<Title | undefined> {
    const book = await part(this.#apis.reservation.read('getBook', { bookid }))
    if (!book.ok || !book.value) return this.#known.get(bookid)
    const { title, author } = book.value
    // The oldest goes.
    if (this.#known.size >= titlesMax) this.#known.delete(this.#known.keys().next().value!)
    this.#known.delete(bookid)
    this.#known.set(bookid, { title, author, until: performance.now() + keptMs })
    return { title, author }
  }
}
