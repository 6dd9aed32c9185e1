/** `/stock`: the figures of all books, and a search. */
import type { Book } from '../apis/reservation.ts'
import type { Stock } from '../apis/stock.ts'
import { type Html, html } from '../html.ts'
import { isbnOf } from '../isbn.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { bookCell, stockPath } from '../stock.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import type { Role } from '../who.ts'

const perPage = 50

/** The people who read stock. */
export const stockReaders: readonly Role[] = ['stock-manager', 'purchaser', 'operator']

export function mountStock(routes: PageRoutes): void {
  const { reservation, stock } = routes.site.apis

  routes.get('/stock', stockReaders, async (visit) => {
    const q = visit.query('q')?.slice(0, 200)
    const query = { limit: perPage, after: visit.query('after') }
    if (q === undefined) {
      const list = await part(stock.call('listStocks', query))
      const { items, after } = pageOf(list)
      return show(visit, table(visit.words.stock.caption, columns(visit), items), after, [list])
    }
    const isbn = isbnOf(q)
    const found = await part(reservation.call('listBooks', { q: isbn ?? q, ...query }))
    const { items, after } = pageOf(found)
    const [only] = items
    if (isbn && only && items.length === 1) return visit.goTo(stockPath(only.bookid))
    return show(visit, table(visit.words.home.found(q), foundColumns(visit), items), after, [found])
  })
}

function show(
  visit: Visit,
  list: Html | '',
  next: string | undefined,
  parts: Awaited<ReturnType<typeof part>>[],
) {
  const { stock, home, receive } = visit.words
  const q = visit.query('q') ?? ''
  const mayReceive = visit.who?.roles.includes('stock-manager')
  const none = html`${stock.none}${mayReceive ? html` <a href="/receive">${receive.title}</a>` : ''}`
  const nothing = parts.every(({ ok }) => ok) && html`<p class="empty">${q ? home.noneFound(q) : none}</p>`
  const main = html`<h1>${stock.title}</h1>
<search><form action="/stock" class="search">
<label for="q">${home.label}</label>
<input id="q" type="search" name="q" value="${q}" placeholder="${stock.placeholder}" maxlength="200" autocomplete="off">
<button>${home.submit}</button>
</form></search>
${list || nothing || ''}
${turnPage(visit, next)}`
  return visit.show({ title: stock.title, main, parts })
}

function columns({ words }: Visit): Column<Stock>[] {
  const { stock } = words
  return [
    { name: stock.book, cell: (it) => bookCell(words, it) },
    { name: stock.available, isNumber: true, cell: ({ qty }) => words.number(qty) },
    { name: stock.held, isNumber: true, cell: ({ held }) => words.number(held) },
    { name: stock.out, isNumber: true, cell: ({ out }) => words.number(out) },
    { name: stock.waiting, isNumber: true, cell: ({ waiting }) => words.number(waiting) },
    { name: stock.onOrder, isNumber: true, cell: ({ onOrder }) => words.number(onOrder) },
  ]
}

/** The book list knows less. */
function foundColumns({ words }: Visit): Column<Book>[] {
  const { stock } = words
  return [
    { name: stock.book, cell: (it) => bookCell(words, it) },
    { name: stock.available, isNumber: true, cell: ({ qty }) => words.number(qty) },
    { name: stock.owned, isNumber: true, cell: ({ owned }) => words.number(owned) },
    { name: stock.waiting, isNumber: true, cell: ({ waiting }) => words.number(waiting) },
  ]
}
