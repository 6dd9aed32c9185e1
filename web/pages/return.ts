/** `/return`: copies that come back. A scan shows whose it was; the answer to the return says where the copy goes next. */
import { z } from 'zod'
import type { Reservation } from '../apis/reservation.ts'
import type { Task } from '../apis/stock.ts'
import { code, named, titleOfCopy } from '../desk/copy.ts'
import { attempt, type Done, doneAt, doneBefore, malformed, nowOf, type Refused } from '../desk/holds.ts'
import { bookidsOf, reservationidOf } from '../desk/tasks.ts'
import { type Answer, inPlace, lookUpAt, scanSchema, showWork, staff } from '../desk/work.ts'
import { hiddenFields, keyField, keyOf, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import { isId } from '../ids.ts'
import { type Page, pageOf } from '../list.ts'
import { type Part, part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import type { Title } from '../titles.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { shelveForm } from './pull.ts'

/** Of one scan. */
const perPage = 25

const taking = keySchema.extend({
  ...scanSchema.shape,
  reservationid: z.uuid(),
  damaged: z.literal('yes').optional(),
})

const shelving = keySchema.extend({ reservationid: z.uuid() })

export function mountReturn(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/return', staff, (visit) => show(visit))

  routes.post('/return', staff, async (visit) => {
    const form = await visit.form(taking)
    if (!form.ok) return show(visit, malformed(visit))
    const { key, reservationid, damaged, scan } = form.values
    if (scan) return visit.goTo(lookUpAt('/return', scan))
    const refused =
      (await attempt(visit, reservationid, () =>
        stock.call('changeHold', { reservationid, body: { status: 'Returned' }, key }),
      )) ??
      (damaged && (await withdrawOne(visit, reservationid)))
    if (refused) return show(visit, refused)
    return doneAt(visit, '/return', damaged ? 'damaged' : 'returned', reservationid)
  })

  routes.post('/return/shelve', staff, async (visit) => {
    const form = await visit.form(shelving)
    if (!form.ok) return show(visit, malformed(visit))
    const { key, reservationid } = form.values
    const refused = await attempt(visit, reservationid, () =>
      stock.call('changeHold', { reservationid, body: { status: 'Ready' }, key }),
    )
    return refused ? show(visit, refused) : doneAt(visit, '/return', 'shelved', reservationid)
  })
}

/** A copy comes back once, and is withdrawn once. It may be set aside for the next customer by now. */
async function withdrawOne(visit: Visit, reservationid: string): Promise<Refused | undefined> {
  const { stock } = visit.apis
  return await attempt(visit, reservationid, async () => {
    const { bookid } = (await stock.read('getHold', { reservationid }))!
    const withdrawal = { bookid, qty: 1, reason: 'Damaged', evenHeld: true } as const
    return await stock.call('withdrawCopies', { body: withdrawal, key: keyOf('damaged', reservationid) })
  })
}

type Found = Page<Reservation> & { parts: Part<unknown>[] }

/** Copies that customers have: of a reservation, a book, or a customer. */
async function findOut(visit: Visit, scan: string | undefined, userid: string | undefined): Promise<Found> {
  const { apis } = visit
  const { reservation } = apis
  const after = visit.query('after')
  const listOf = (query: { userid: string } | { bookid: string }) =>
    reservation.call('listReservations', { ...query, status: 'Collected', limit: perPage, after })
  const reservationid = scan === undefined ? undefined : reservationidOf(scan)
  const found = await part(
    (async () => {
      if (reservationid !== undefined) {
        const it = await reservation.read('getReservation', { reservationid })
        return { items: it?.status === 'Collected' ? [it] : [], after: undefined }
      }
      const byBook = scan === undefined ? [] : await bookidsOf(apis, scan)
      const asked = [
        ...byBook.map((bookid) => listOf({ bookid })),
        ...[scan, userid].flatMap((it) => (it !== undefined && isId(it) ? [listOf({ userid: it })] : [])),
      ]
      const pages = (await Promise.all(asked)).map((value) => pageOf({ ok: true, value }))
      const following = pages.flatMap((it) => it.after ?? [])
      // A text is rarely the number of a book and of a card. Then both lists have to fit on the page.
      return {
        items: pages.flatMap((it) => it.items),
        after: following.length === 1 ? following[0] : undefined,
      }
    })(),
  )
  return { ...(found.ok ? found.value : { items: [], after: undefined }), parts: [found] }
}

async function show(visit: Visit, refused?: Refused): Promise<Response> {
  const { returns } = visit.words
  const scan = visit.query('scan')
  const userid = visit.query('userid')
  const [done, out] = await Promise.all([
    refused ? undefined : doneBefore(visit),
    findOut(visit, scan, userid),
  ])
  const titles = await visit.site.titles.of(out.items.map((it) => it.bookid))
  const copies = out.items.map((it) => ({ ...it, ...(titles.get(it.bookid) ?? { title: '', author: '' }) }))
  const isAsked = (scan ?? userid) !== undefined && out.parts.every((it) => it.ok)
  const [only] = copies.length === 1 ? copies : []
  const next = done?.did === 'returned' ? await whereNext(visit, done) : undefined
  const answerToScan: Answer | undefined = only
    ? { tone: 'good', text: returns.was(titleOfCopy(visit, only), only.userid), more: html`${returns.enter}` }
    : !isAsked
      ? undefined
      : copies.length === 0
        ? {
            tone: 'bad',
            text: (await nowOf(visit, scan && reservationidOf(scan))) ?? returns.none(scan ?? userid!),
          }
        : {
            tone: 'good',
            text: returns.several(copies.length, (out.after ?? visit.query('after')) !== undefined),
          }
  const content = html`${next?.content ?? ''}${table(returns.caption, columns(visit), copies)}${turnPage(visit, out.after)}`
  return showWork(
    visit,
    {
      path: '/return',
      title: returns.title,
      label: returns.label,
      help: returns.help,
      answer: refused?.answer ?? next?.answer ?? done?.answer ?? answerToScan,
      next: refused || done || !only ? undefined : take(only),
      content,
      parts: out.parts,
      ...(refused?.missing && { missing: refused.missing }),
    },
    refused?.status,
  )
}

type Out = Reservation & Title

function columns(visit: Visit): Column<Out>[] {
  const { work, returns } = visit.words
  return [
    { name: work.book, cell: (it) => named(visit, it) },
    { name: work.customer, cell: ({ userid }) => html`<span class="person">${userid}</span>` },
    { name: returns.since, cell: ({ updatedAt }) => visit.dates.short(updatedAt) },
    {
      name: work.actions,
      cell: (it) => html`<div class="actions">${takeForm(visit, it)}${damagedForm(visit, it)}</div>`,
    },
  ]
}

/** The returned copy is free, or already set aside for the next who waits. */
async function whereNext(
  visit: Visit,
  { hold, answer }: Done,
): Promise<{ answer: Answer; content: Html } | undefined> {
  const { words, apis } = visit
  if (!hold) return undefined
  const [toFetch, stock] = await Promise.all([
    part(apis.stock.call('listTasks', { kind: 'pull', bookid: hold.bookid, limit: 1 })),
    part(apis.stock.read('getStock', { bookid: hold.bookid })),
  ])
  const [task] = toFetch.ok && toFetch.value.ok ? toFetch.value.body.items : []
  const { text } = answer
  if (task) {
    const more = html`${words.returns.keep} ${words.work.code} <strong>${code(task)}</strong>`
    return {
      answer: { tone: 'warm', text, more },
      content: shelveForm(visit, shelve(task)),
    }
  }
  if (!stock.ok || !stock.value) return undefined
  const more = stock.value.qty > 0 ? words.returns.back : words.returns.aside
  return {
    answer: { tone: stock.value.qty > 0 ? 'good' : 'warm', text, more: html`${more}` },
    content: html``,
  }
}

/** For the next customer, at once. */
const shelve = ({ reservationid }: Task) => ({ action: '/return/shelve', fields: { reservationid } })

const take = ({ reservationid }: Pick<Reservation, 'reservationid'>) => ({
  action: '/return',
  fields: { reservationid },
})

function takeForm(visit: Visit, it: Reservation): Html {
  const { action, fields } = take(it)
  return html`<form method="post" action="${action}"${inPlace()}>${keyField()}${hiddenFields(
    fields,
  )}<button>${visit.words.returns.take}</button></form>`
}

/** Asks first: the library has one copy less afterwards. */
const damagedForm = ({ words: { returns } }: Visit, { reservationid }: Reservation): Html =>
  html`<details class="more">
<summary>${returns.damaged}</summary>
<form method="post" action="/return"${inPlace()}>${keyField()}${hiddenFields({
    reservationid,
    damaged: 'yes',
  })}<p>${returns.damagedAsk}</p>
<button>${returns.damagedYes}</button></form>
</details>`
