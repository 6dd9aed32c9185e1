/**
 * Books that this process committed last, so that a batch need not read them from Postgres.
 *
 * A cached book equals its row as long as no other process commits to its partition. If one does, this process's next
 * commit fails the fence, and the partition is dropped from the cache, as it is after any unknown outcome.
 */
import type { Book } from './book.ts'

/** About 10 MB. The least recently committed books are evicted first. */
export const booksMax = 20_000

export class BookCache {
  /** In the order of their last commit. */
  readonly #books = new Map<string, { partition: number; book: Book }>()

  get(bookid: string): Book | undefined {
    return this.#books.get(bookid)?.book
  }

  /** Stores a book as it was committed. */
  put(partition: number, book: Book): void {
    this.#books.delete(book.bookid)
    this.#books.set(book.bookid, { partition, book })
    if (this.#books.size > booksMax) this.#books.delete(this.#books.keys().next().value!)
  }

  forget(partition: number): void {
    for (const [bookid, it] of this.#books) if (it.partition === partition) this.#books.delete(bookid)
  }
}
