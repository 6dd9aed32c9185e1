/** `/`: the books, and a search. */
import type { Book } from '../apis/reservation.ts'
import { availability, bookPath, titleOf } from '../book.ts'
import { type Html, html } from '../html.ts'
import { isbnOf } from '../isbn.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const perPage = 25

export function mountHome(pages: PageRoutes): void {
  pages.get('/', 'anyone', async (visit) => {
    const q = visit.query('q')?.slice(0, 200)
    const available = visit.query('available') === 'true'
    const after = visit.query('after')
    const isbn = q && isbnOf(q)
    // The hyphens of an ISBN do not matter there, but those 13 digits do.
    const query = { q: isbn ?? q, available: available && !isbn ? 'true' : undefined, after, limit: perPage }
    const list = await part(visit.apis.reservation.call('listBooks', query))
    const { items, after: next } = pageOf(list)
    const [only] = items
    if (isbn && only && items.length === 1) return visit.goTo(bookPath(only.bookid))
    const nothing = list.ok ? empty(visit, q, isbn, available) : ''
    const main = html`<h1>${visit.words.home.title}</h1>
${search(visit, q, available)}
${q === undefined ? '' : html`<h2>${visit.words.home.found(q)}</h2>`}
${items.length > 0 ? results(visit, items) : nothing}
${turnPage(visit, next)}`
    return visit.show({ title: q ?? visit.words.home.title, main, parts: [list] })
  })
}

function search({ words: { home } }: Visit, q: string | undefined, available: boolean): Html {
  return html`<search><form action="/" class="search">
<label for="q">${home.label}</label>
<input id="q" type="search" name="q" value="${q ?? ''}" placeholder="${home.placeholder}" maxlength="200" autocomplete="off">
<button>${home.submit}</button>
<label><input type="checkbox" name="available" value="true"${available ? html` checked` : ''}> ${home.available}</label>
</form></search>`
}

const results = (visit: Visit, books: Book[]): Html =>
  html`<ul class="rows">${books.map(
    (book) => html`<li>
<div><a href="${bookPath(book.bookid)}">${titleOf(visit.words, book)}</a>
${book.author ? html`<p>${book.author}</p>` : ''}</div>
${availability(visit.words, book)}
</li>`,
  )}</ul>`

function empty(
  { words: { home } }: Visit,
  q: string | undefined,
  isbn: string | undefined,
  available: boolean,
) {
  if (q === undefined) return html`<p class="empty">${available ? home.noneAvailable : home.none}</p>`
  const ask = isbn && html`<p><a role="button" href="${bookPath(isbn)}">${home.ask}</a></p>`
  return html`<p class="empty">${home.noneFound(q)}</p>${ask}`
}
