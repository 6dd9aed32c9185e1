/** `/wanted`: books of which there are too few, to order or to decline. */
import { z } from 'zod'
import { withQuery } from '../address.ts'
import type { PurchaseRequest } from '../apis/stock.ts'
import { titleOf } from '../book.ts'
import { faultsOf, hiddenFields, keyField, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import { idSchema } from '../ids.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import { copiesMax, isReused } from '../receipt.ts'
import type { PageRoutes } from '../routes.ts'
import { bookCell } from '../stock.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const formSchema = keySchema.extend({
  bookid: idSchema,
  /** The page of the list, which is shown again. */
  after: z.string().max(400).optional(),
})
const orderSchema = formSchema.extend({
  qty: z.coerce.number().int().min(1).max(copiesMax),
})
const declineSchema = formSchema.extend({
  note: z
    .string()
    .trim()
    .max(200)
    .transform((it) => it || undefined),
})

const perPage = 25

/** A form that cannot be read. */
type Faulty = { form: 'order' | 'decline'; given: Record<string, string> }

export function mountWanted(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/wanted', ['purchaser'], (visit) => show(visit, visit.query('after')))

  routes.post('/wanted/order', ['purchaser'], async (visit) => {
    const submitted = await visit.form(orderSchema)
    if (!submitted.ok) {
      const { given } = submitted
      return show(visit, given.after, { form: 'order', given })
    }
    const { key, after, ...order } = submitted.values
    const answer = await stock.call('orderCopies', { body: order, key })
    if (isReused(answer)) return visit.goTo(withQuery('/wanted', { after }), 'orderedBefore')
    return visit.goTo(withQuery('/wanted', { after }), answer.ok ? 'ordered' : 'again')
  })

  routes.post('/wanted/decline', ['purchaser'], async (visit) => {
    const submitted = await visit.form(declineSchema)
    if (!submitted.ok) {
      const { given } = submitted
      return show(visit, given.after, { form: 'decline', given })
    }
    const { key, after, bookid, note } = submitted.values
    const answer = await stock.call('declinePurchase', { bookid, body: { note }, key })
    if (!answer.ok && answer.refusal.slug !== 'nothing-requested')
      return visit.goTo(withQuery('/wanted', { after }), 'again')
    return visit.goTo(withQuery('/wanted', { after }), answer.ok ? 'declined' : 'closed')
  })
}

async function show(visit: Visit, after: string | undefined, faulty?: Faulty): Promise<Response> {
  const list = await part(visit.apis.stock.call('listPurchaseRequests', { limit: perPage, after }))
  const page = pageOf(list)
  const { wanted } = visit.words
  const rows = table(wanted.caption, columns(visit, after, faulty), page.items)
  const main = html`<h1>${wanted.title}</h1>
<p>${wanted.text}</p>
${faultsOf(visit.words, faulty ? [wanted.faults[faulty.form]] : [])}
${rows || (list.ok ? html`<p class="empty">${wanted.none}</p>` : '')}
${turnPage(visit, page.after)}`
  return visit.show({ title: wanted.title, main, parts: [list] }, faulty ? 422 : 200)
}

function columns(visit: Visit, after: string | undefined, faulty?: Faulty): Column<PurchaseRequest>[] {
  const { words, dates } = visit
  const { wanted, stock } = words
  return [
    { name: stock.book, cell: (it) => bookCell(words, it) },
    { name: stock.waiting, isNumber: true, cell: ({ waiting }) => words.number(waiting) },
    { name: wanted.refused, isNumber: true, cell: ({ shortage }) => words.number(shortage) },
    { name: stock.owned, isNumber: true, cell: ({ owned }) => words.number(owned) },
    { name: stock.onOrder, isNumber: true, cell: ({ onOrder }) => words.number(onOrder) },
    { name: wanted.since, cell: ({ requestedAt }) => dates.shortDay(requestedAt) },
    {
      name: wanted.decision,
      cell: (it) => decisions(visit, it, after, faulty?.given.bookid === it.bookid ? faulty : undefined),
    },
  ]
}

function decisions(
  visit: Visit,
  request: PurchaseRequest,
  after: string | undefined,
  faulty: Faulty | undefined,
): Html {
  const { wanted } = visit.words
  const title = titleOf(visit.words, request)
  const { bookid, requestedAt, onOrder } = request
  const key = visit.isAgain ? keyField() : keyField(bookid, requestedAt, onOrder)
  const order = { isFaulty: faulty?.form === 'order', value: faulty?.given.qty ?? '1' }
  const note = { isFaulty: faulty?.form === 'decline', value: faulty?.given.note ?? '' }
  return html`<div class="actions"><form method="post" action="/wanted/order" class="inline">
${key}${hiddenFields({ bookid, after })}
<input name="qty" type="number" inputmode="numeric" min="1" max="${copiesMax}" value="${order.value}" required aria-label="${wanted.qtyOf(title)}"${invalid(order.isFaulty)}>
<button aria-label="${wanted.orderOf(title)}">${wanted.order}</button>
${order.isFaulty ? html`<small class="fault">${wanted.faults.order}</small>` : ''}
</form>
<details class="more"${note.isFaulty ? html` open` : ''}><summary aria-label="${wanted.declineOf(title)}">${wanted.decline}</summary>
<form method="post" action="/wanted/decline">
${keyField()}${hiddenFields({ bookid, after })}
<p>${wanted.declineText}</p>
<input name="note" maxlength="200" value="${note.value}" placeholder="${wanted.note}" aria-label="${wanted.note}" autocomplete="off"${invalid(note.isFaulty)}>
${note.isFaulty ? html`<small class="fault">${wanted.faults.decline}</small>` : ''}
<button>${wanted.declineYes}</button>
</form></details></div>`
}

const invalid = (isFaulty: boolean): Html | '' => (isFaulty ? html` aria-invalid="true"` : '')
