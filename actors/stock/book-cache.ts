/**
 * Books that this process committed last, so that a batch need not read them from Postgres.
 *
 * A cached book equals its row as long as no other process commits to its partition. If one does, this process's next
 * commit fails the fence, and the partition is dropped from the cache, as it is after any unknown outcome.
 */
import type { Book } from './book.ts'

/** About 10 MB. */
export const booksMax = 20_000

type Cached = {
  partition: number
  book: Book
  /** Whether it was committed again since it came. */
  again: boolean
}

export class BookCache {
  /** In the order in which they came. */
  readonly #books = new Map<string, Cached>()

  get(bookid: string): Book | undefined {
    return this.#books.get(bookid)?.book
  }

  /** Stores a book as it was committed. */
  put(partition: number, book: Book): void {
    const cached = this.#books.get(book.bookid)
    if (cached) {
      cached.book = book
      cached.again = true
      return
    }
    this.#books.set(book.bookid, { partition, book, again: false })
    if (this.#books.size > booksMax) this.#evict()
  }

  /** Removes the oldest book that was committed once. Those before it, which were committed again, become the newest. */
  #evict(): void {
    for (const [bookid, cached] of this.#books) {
      this.#books.delete(bookid)
      if (!cached.again) return
      this.#books.set(bookid, { ...cached, again: false })
    }
  }

  forget(partition: number): void {
    for (const [bookid, it] of this.#books) if (it.partition === partition) this.#books.delete(bookid)
  }
}
