/** `/stock/{bookid}`: the figures of a book, its queue, rules and movements, and copies that leave. */
import { z } from 'zod'
import { type Movement, type Stock, type Wait, withdrawalReasons } from '../apis/stock.ts'
import { titleOf } from '../book.ts'
import { code } from '../desk/copy.ts'
import { notFound } from '../errors.ts'
import { keyField, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import { isId } from '../ids.ts'
import { type Page, pageOf } from '../list.ts'
import { movementColumns } from '../movement.ts'
import { part } from '../part.ts'
import { copiesMax } from '../receipt.ts'
import type { PageRoutes } from '../routes.ts'
import { ownRulesSchema, rulesFields } from '../rules.ts'
import { stockPath } from '../stock.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { stockReaders } from './stock.ts'

const withdrawalSchema = keySchema.extend({
  qty: z.coerce.number().int().min(1).max(copiesMax),
  reason: z.enum(withdrawalReasons),
  evenHeld: z.stringbool().default(false),
})

const perPage = 20

/** A form that was not accepted. */
type Refused = { form: 'withdraw' | 'rules'; text: string; given: Record<string, string> }

export function mountStockOf(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/stock/:bookid', stockReaders, (visit) => show(visit))

  routes.post('/stock/:bookid/withdraw', ['stock-manager'], async (visit) => {
    const bookid = visit.param('bookid')
    const submitted = await visit.form(withdrawalSchema)
    const { withdraw } = visit.words.stock
    if (!submitted.ok) return show(visit, { form: 'withdraw', text: withdraw.fault, given: submitted.given })
    const { key, ...withdrawal } = submitted.values
    const answer = await stock.call('withdrawCopies', { body: { bookid, ...withdrawal }, key })
    if (answer.ok) return visit.goTo(stockPath(bookid), 'withdrawn')
    const given = Object.fromEntries(Object.entries(withdrawal).map(([name, it]) => [name, String(it)]))
    const text = answer.refusal.slug === 'copies-held' ? withdraw.held : withdraw.again
    return show(visit, { form: 'withdraw', text, given })
  })

  routes.post('/stock/:bookid/rules', ['stock-manager'], async (visit) => {
    const bookid = visit.param('bookid')
    const submitted = await visit.form(keySchema.extend(ownRulesSchema.shape))
    const { rules } = visit.words.stock
    if (!submitted.ok) return show(visit, { form: 'rules', text: rules.fault, given: submitted.given })
    const { key, ...own } = submitted.values
    const answer = await stock.call('setRules', { bookid, body: own, key })
    if (answer.ok) return visit.goTo(stockPath(bookid), 'rulesSaved')
    const given = Object.fromEntries(await visit.fields())
    return show(visit, { form: 'rules', text: rules.again, given })
  })
}

async function show(visit: Visit, refused?: Refused): Promise<Response> {
  const bookid = visit.param('bookid')
  if (!isId(bookid)) return notFound(visit)
  const { stock } = visit.apis
  const [found, queue, movements] = await Promise.all([
    part(stock.read('getStock', { bookid })),
    part(stock.call('listQueue', { bookid, limit: perPage, after: visit.query('queue') })),
    part(stock.call('listMovements', { bookid, limit: perPage, after: visit.query('movements') })),
  ])
  const parts = [found, queue, movements]
  if (!found.ok) return visit.show({ title: bookid, main: html`<h1>${bookid}</h1>`, parts }, 503)
  if (!found.value) return notFound(visit)
  const { words, who } = visit
  const title = titleOf(words, found.value)
  const isManager = who?.roles.includes('stock-manager') ?? false
  const main = html`<h1>${title}</h1>
${about(visit, found.value)}
${figures(visit, found.value)}
${queueOf(visit, pageOf(queue))}
${isManager ? html`${withdrawForm(visit, found.value, refused)}${rulesForm(visit, found.value, refused)}` : ''}
${movementsOf(visit, pageOf(movements))}`
  return visit.show({ title, main, parts }, refused ? 422 : 200)
}

const about = ({ words: { book } }: Visit, { author, isbn, bookid }: Stock): Html =>
  html`<p class="author">${[author, isbn && `${book.isbn} ${isbn}`, `${book.number} ${bookid}`].filter(Boolean).join(' · ')}</p>`

function figures({ words }: Visit, it: Stock): Html {
  const { stock } = words
  const shown: [string, number | null][] = [
    [stock.available, it.qty],
    [stock.held, it.held],
    [stock.out, it.out],
    [stock.owned, it.owned],
    [stock.waiting, it.waiting],
    [stock.onOrder, it.onOrder],
  ]
  return html`<dl class="figures">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${words.number(value)}</dd></div>`)}</dl>`
}

function queueOf(visit: Visit, { items, after }: Page<Wait>): Html {
  const { words, dates } = visit
  const { queue } = words.stock
  const columns: Column<Wait>[] = [
    { name: queue.place, isNumber: true, cell: ({ place }) => words.number(place) },
    { name: queue.reservation, cell: code },
    { name: queue.customer, cell: ({ userid }) => html`<span class="person">${userid}</span>` },
    { name: queue.since, cell: ({ since }) => dates.shortDay(since) },
    { name: queue.lapses, cell: ({ lapsesAt }) => (lapsesAt === null ? '–' : dates.shortDay(lapsesAt)) },
  ]
  const list = table(queue.caption, columns, items)
  return html`<section id="queue">${list || html`<h2>${queue.title}</h2><p class="empty">${queue.none}</p>`}
${turnPage(visit, after, 'queue')}</section>`
}

function movementsOf(visit: Visit, { items, after }: Page<Movement>): Html {
  const { movements } = visit.words.stock
  const list = table(movements.caption, movementColumns(visit), items)
  return html`<section id="movements">${list || html`<h2>${movements.title}</h2><p class="empty">${movements.none}</p>`}
${turnPage(visit, after, 'movements')}</section>`
}

/** The fault, above the fields. It gets the focus. */
const faultOf = (form: Refused['form'], refused: Refused | undefined): Html | '' =>
  refused?.form === form
    ? html`<p class="notice" role="alert" tabindex="-1" autofocus>${refused.text}</p>`
    : ''

function withdrawForm({ words }: Visit, { bookid, version }: Stock, refused: Refused | undefined): Html {
  const { withdraw, reasons } = words.stock
  const given = refused?.form === 'withdraw' ? refused.given : {}
  return html`<details${refused?.form === 'withdraw' ? html` open` : ''}><summary>${withdraw.title}</summary>
${faultOf('withdraw', refused)}
<form method="post" action="${stockPath(bookid)}/withdraw" class="narrow">
${refused ? keyField() : keyField('withdraw', bookid, version)}
<label for="qty">${withdraw.qty}</label>
<input id="qty" name="qty" type="number" inputmode="numeric" min="1" max="${copiesMax}" value="${given.qty ?? '1'}" required>
<label for="reason">${withdraw.reason}</label>
<select id="reason" name="reason">${withdrawalReasons.map(
    (it) => html`<option value="${it}"${it === given.reason ? html` selected` : ''}>${reasons[it]}</option>`,
  )}</select>
<label><input type="checkbox" name="evenHeld" value="true"${given.evenHeld === 'true' ? html` checked` : ''}> ${withdraw.evenHeld}</label>
<button>${withdraw.submit}</button>
</form></details>`
}

function rulesForm(visit: Visit, stock: Stock, refused: Refused | undefined): Html {
  const { rules } = visit.words.stock
  const given = refused?.form === 'rules' ? refused.given : undefined
  return html`<details${given ? html` open` : ''}><summary>${rules.title}</summary>
${faultOf('rules', refused)}
<p>${rules.text}</p>
<form method="post" action="${stockPath(stock.bookid)}/rules" class="narrow">
${keyField()}
${rulesFields(visit, stock, given)}
<button>${rules.submit}</button>
</form></details>`
}
