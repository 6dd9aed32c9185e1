/** `/orders`: copies that were ordered, and those that have arrived. */
import type { Purchase } from '../apis/stock.ts'
import { titleOf } from '../book.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { bookCell } from '../stock.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

const perPage = 50

export function mountOrders(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/orders', ['purchaser', 'stock-manager'], async (visit, { role }) => {
    const list = await part(stock.call('listPurchases', { limit: perPage, after: visit.query('after') }))
    const { items, after } = pageOf(list)
    const { orders } = visit.words
    const rows = table(orders.caption, columns(visit, role === 'stock-manager'), items)
    const main = html`<h1>${orders.title}</h1>
${rows || (list.ok ? html`<p class="empty">${orders.none}${role === 'purchaser' ? html` <a href="/wanted">${visit.words.wanted.title}</a>` : ''}</p>` : '')}
${turnPage(visit, after)}`
    return visit.show({ title: orders.title, main, parts: [list] })
  })
}

function columns(visit: Visit, mayReceive: boolean): Column<Purchase>[] {
  const { words, dates } = visit
  const { orders, stock } = words
  const all: Column<Purchase>[] = [
    { name: stock.book, cell: (it) => bookCell(words, it) },
    { name: orders.copies, isNumber: true, cell: ({ qty }) => words.number(qty) },
    { name: orders.orderedAt, cell: ({ orderedAt }) => dates.shortDay(orderedAt) },
    { name: orders.status, cell: (it) => status(visit, it) },
  ]
  return mayReceive ? [...all, { name: orders.action, cell: (it) => receiveLink(visit, it) }] : all
}

const status = ({ words: { orders }, dates }: Visit, { status, receivedAt }: Purchase): Html =>
  html`<span class="badge ${status === 'Received' ? 'good' : 'warm'}">${wordFor(orders.statuses, status)}</span>${
    receivedAt === null ? '' : html`<small>${dates.shortDay(receivedAt)}</small>`
  }`

const receiveLink = ({ words }: Visit, purchase: Purchase): Html | '' =>
  purchase.status === 'Ordered'
    ? html`<a href="/receive?order=${purchase.purchaseid}" aria-label="${words.orders.receiveOf(titleOf(words, purchase))}">${words.orders.receive}</a>`
    : ''
