/** How staff's pages show stock. */
import type { Stock } from './apis/stock.ts'
import { titleOf } from './book.ts'
import { type Html, html } from './html.ts'
import type { Words } from './words/words.ts'

export const stockPath = (bookid: string): string => `/stock/${encodeURIComponent(bookid)}`

type About = Pick<Stock, 'bookid' | 'title'> & { author?: string; isbn?: string }

/** The title of a book, which leads to its stock, with what else names it. */
export function bookCell(words: Words, about: About): Html {
  const { bookid, author, isbn } = about
  const number = isbn && isbn.replaceAll('-', '') !== bookid ? `${isbn} · ${bookid}` : bookid
  return html`<a href="${stockPath(bookid)}">${titleOf(words, about)}</a>
<small>${author ? html`${author}<br>` : ''}${number}</small>`
}
