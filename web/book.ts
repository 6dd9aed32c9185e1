/** How pages show a book. */
import type { Book } from './apis/reservation.ts'
import { type Html, html } from './html.ts'
import type { Words } from './words/words.ts'

export const bookPath = (bookid: string): string => `/book/${encodeURIComponent(bookid)}`

export const titleOf = (words: Words, { bookid, title }: Pick<Book, 'bookid' | 'title'>): string =>
  title || words.book.untitled(bookid)

/** Copies available, and how many wait. */
export function availability({ book }: Words, { qty, waiting }: Pick<Book, 'qty' | 'waiting'>): Html {
  return html`<p class="availability">${
    qty > 0
      ? html`<span class="badge good">${book.available(qty)}</span>`
      : html`<span class="badge">${book.noneAvailable}</span>`
  }${waiting > 0 ? html` <span class="badge">${book.waiting(waiting)}</span>` : ''}</p>`
}
