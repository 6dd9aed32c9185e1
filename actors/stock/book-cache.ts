/**
 * The books that this process has in mind, so that a batch need not read what the last one wrote.
 *
 * What stands here is what Postgres has, as long as nobody else commits to the partition; if somebody does, our own next
 * commit fails its fence, and the partition is forgotten. So is every partition after any doubt.
 */
import type { Book } from './stock.ts'

/** About 10 MB. Those not used the longest go first. */
export const booksMax = 20_000

export class BookCache {
  /** In the order in which they were last put back. */
  readonly #books = new Map<string, { partition: number; book: Book }>()

  /** Leaves the book in its place: whoever takes it puts it back, or the partition is forgotten. */
  get(bookid: string): Book | undefined {
    return this.#books.get(bookid)?.book
  }

  /** Puts a book back as it was committed. */
  put(partition: number, book: Book): void {
    this.#books.delete(book.bookid)
    this.#books.set(book.bookid, { partition, book })
    if (this.#books.size > booksMax) this.#books.delete(this.#books.keys().next().value!)
  }

  forget(partition: number): void {
    for (const [bookid, it] of this.#books) if (it.partition === partition) this.#books.delete(bookid)
  }
}
