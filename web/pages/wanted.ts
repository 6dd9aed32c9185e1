/** `/wanted`: books of which there are too few, to order or to decline. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { PurchaseRequest } from '../apis/stock.ts'
import { titleOf } from '../book.ts'
import { keyField, keySchema } from '../form.ts'
import type { Html } from '../html.ts'
import { idSchema } from '../ids.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import { copiesMax } from '../receipt.ts'
import type { PageRoutes } from '../routes.ts'
import { bookCell, figure } from '../stock.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const orderSchema = keySchema.extend({
  bookid: idSchema,
  qty: z.coerce.number().int().min(1).max(copiesMax),
})
const declineSchema = keySchema.extend({
  bookid: idSchema,
  note: z
    .string()
    .trim()
    .max(200)
    .transform((it) => it || undefined),
})

const perPage = 25

export function mountWanted(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/wanted', ['purchaser'], async (visit) => {
    const list = await part(stock.requests({ limit: perPage, after: visit.query('after') }))
    const { items, after } = pageOf(list)
    const { wanted } = visit.words
    const rows = table(wanted.caption, columns(visit), items)
    const main = html`<h1>${wanted.title}</h1>
<p>${wanted.text}</p>
${rows || (list.ok ? html`<p class="empty">${wanted.none}</p>` : '')}
${turnPage(visit, after)}`
    return visit.show({ title: wanted.title, main, parts: [list] })
  })

  routes.post('/wanted/order', ['purchaser'], async (visit) => {
    const submitted = await visit.form(orderSchema)
    if (!submitted.ok) return visit.goTo('/wanted', 'again')
    const { key, ...order } = submitted.values
    const answer = await stock.order(order, key)
    return visit.goTo('/wanted', answer.ok ? 'ordered' : 'again')
  })

  routes.post('/wanted/decline', ['purchaser'], async (visit) => {
    const submitted = await visit.form(declineSchema)
    if (!submitted.ok) return visit.goTo('/wanted', 'again')
    const { key, bookid, note } = submitted.values
    const answer = await stock.decline(bookid, note === undefined ? {} : { note }, key)
    if (!answer.ok && answer.refusal.slug !== 'nothing-requested') return visit.goTo('/wanted', 'again')
    return visit.goTo('/wanted', answer.ok ? 'declined' : 'closed')
  })
}

function columns(visit: Visit): Column<PurchaseRequest>[] {
  const { words, dates } = visit
  const { wanted, stock } = words
  return [
    { name: stock.book, cell: (it) => bookCell(words, it) },
    { name: stock.waiting, isNumber: true, cell: ({ waiting }) => figure(waiting) },
    { name: wanted.refused, isNumber: true, cell: ({ shortage }) => String(shortage) },
    { name: stock.owned, isNumber: true, cell: ({ owned }) => figure(owned) },
    { name: stock.onOrder, isNumber: true, cell: ({ onOrder }) => figure(onOrder) },
    { name: wanted.since, cell: ({ requestedAt }) => dates.day(requestedAt) },
    { name: wanted.decision, cell: (it) => decisions(visit, it) },
  ]
}

function decisions({ words }: Visit, request: PurchaseRequest): Html {
  const { wanted } = words
  const { bookid } = request
  const title = titleOf(words, request)
  const book = html`<input type="hidden" name="bookid" value="${bookid}">`
  return html`<div class="actions"><form method="post" action="/wanted/order" class="inline">
${keyField()}${book}
<input name="qty" type="number" inputmode="numeric" min="1" max="${copiesMax}" value="1" required aria-label="${wanted.qtyOf(title)}">
<button aria-label="${wanted.orderOf(title)}">${wanted.order}</button>
</form>
<details class="more"><summary aria-label="${wanted.declineOf(title)}">${wanted.decline}</summary>
<form method="post" action="/wanted/decline">
${keyField()}${book}
<p>${wanted.declineText}</p>
<input name="note" maxlength="200" placeholder="${wanted.note}" aria-label="${wanted.note}" autocomplete="off">
<button>${wanted.declineYes}</button>
</form></details></div>`
}
