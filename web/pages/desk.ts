/**
 * `/desk`: copies are handed over. A card shows its customer, and what is set aside for them. A code, a reservation's id or an ISBN
 * shows the copy; with a customer's page open, it must be theirs.
 */
import { html } from 'hono/html'
import { z } from 'zod'
import { causes } from '../apis/reservation.ts'
import { endOf } from '../day.ts'
import { type Copy, titleOfCopy } from '../desk/copy.ts'
import { type Customer, readCustomer, showCustomer } from '../desk/customer.ts'
import { handOver } from '../desk/hand-over.ts'
import { attempt, doneAt, doneBefore, malformed, nowOf, type Refused } from '../desk/holds.ts'
import { findCopies, showCopies, showCopy } from '../desk/one-copy.ts'
import { reservationidOf } from '../desk/tasks.ts'
import { type Answer, lookUpAt, scanSchema, showWork, staff } from '../desk/work.ts'
import { keySchema } from '../form.ts'
import { idSchema, isId } from '../ids.ts'
import { isbnOf } from '../isbn.ts'
import { missingOf, type Part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import type { Visit } from '../visit.ts'

const handingOver = keySchema.extend({
  ...scanSchema.shape,
  reservationid: z.uuid(),
  /** The card that was shown. */
  userid: idSchema.optional(),
  /** The customer whose page is open. */
  customer: idSchema.optional(),
})
const cancellation = keySchema.extend({
  reservationid: z.uuid(),
  customer: idSchema,
  cause: z.enum(causes),
  note: z.string().trim().max(200).default(''),
})
const block = z.object({
  userid: idSchema,
  reason: z.string().trim().min(1).max(200),
  until: z.union([z.literal(''), z.iso.date()]).default(''),
})
const unblock = z.object({ userid: idSchema })

const deskOf = (userid: string): string => `/desk?userid=${encodeURIComponent(userid)}`

export function mountDesk(routes: PageRoutes): void {
  const { apis, timeZone } = routes.site

  routes.get('/desk', staff, (visit) => {
    const [scan, userid] = [visit.query('scan'), visit.query('userid')]
    return show(visit, userid === undefined || isId(userid) ? { scan, userid } : { scan: scan ?? userid })
  })

  routes.post('/desk/hand-over', staff, async (visit) => {
    const form = await visit.form(handingOver)
    const { reservationid, customer } = form.ok ? form.values : form.given
    const here = customer ? { userid: customer } : { scan: reservationid }
    if (!form.ok) return show(visit, here, malformed(visit))
    const { key, userid, scan } = form.values
    if (scan) return visit.goTo(lookUpAt('/desk', scan, { userid: customer }))
    const change = { status: 'Collected' as const, ...(userid && { userid }) }
    const refused = await attempt(visit, reservationid, () =>
      apis.stock.call('changeHold', { reservationid: form.values.reservationid, body: change, key }),
    )
    if (refused) return show(visit, here, refused)
    return doneAt(visit, userid ? deskOf(userid) : '/desk', 'handedOver', reservationid)
  })

  routes.post('/desk/cancel', staff, async (visit) => {
    const form = await visit.form(cancellation)
    if (!form.ok) return show(visit, { userid: form.given.customer }, malformed(visit, form.given))
    const { reservationid, customer, cause, note } = form.values
    const refused = await attempt(visit, reservationid, () =>
      apis.reservation.call('cancelReservation', {
        reservationid,
        body: { status: 'Canceled', cause, ...(note && { note }) },
      }),
    )
    if (refused)
      return show(visit, { userid: customer }, { ...refused, given: { reservationid, cause, note } })
    return doneAt(visit, deskOf(customer), 'canceled', reservationid)
  })

  routes.post('/desk/block', staff, async (visit) => {
    const form = await visit.form(block)
    if (!form.ok) return show(visit, { userid: form.given.userid }, malformed(visit, form.given))
    const { userid, reason, until } = form.values
    const refused = await attempt(visit, undefined, () =>
      apis.reservation.call('blockCustomer', {
        userid,
        body: { reason, ...(until && { until: endOf(until, timeZone) }) },
      }),
    )
    if (refused) return show(visit, { userid }, { ...refused, given: { reason, until } })
    return doneAt(visit, deskOf(userid), 'blocked')
  })

  routes.post('/desk/unblock', staff, async (visit) => {
    const form = await visit.form(unblock)
    if (!form.ok) return show(visit, {}, malformed(visit))
    const { userid } = form.values
    const refused = await attempt(visit, undefined, () =>
      apis.reservation.call('unblockCustomer', { userid }),
    )
    return refused ? show(visit, { userid }, refused) : doneAt(visit, deskOf(userid), 'unblocked')
  })
}

type Asked = { scan?: string | undefined; userid?: string | undefined }

type LookedUp = {
  /** The customer whose page is shown. */
  userid?: string | undefined
  /** A copy that is set aside for that customer. */
  chosen?: Copy
  /** Copies, when no card was shown. */
  copies?: Copy[]
  answer?: Answer
  parts: Part<unknown>[]
}

async function lookUp(visit: Visit, { scan, userid }: Asked): Promise<LookedUp> {
  if (scan === undefined) return { userid, parts: [] }
  const { desk } = visit.words
  const { copies, parts } = await findCopies(visit.apis, scan)
  const [first] = copies
  if (!first) {
    const isCard = isId(scan) && reservationidOf(scan) === undefined && isbnOf(scan) === undefined
    if (isCard) return { userid: scan, parts }
    if (!parts.every((it) => it.ok)) return { userid, parts }
    const text = (await nowOf(visit, reservationidOf(scan))) ?? visit.words.work.nothing(scan)
    return { userid, parts, answer: { tone: 'bad', text } }
  }
  if (userid === undefined) return { copies, parts }
  const chosen = copies.find((it) => it.userid === userid)
  if (chosen) return { userid, chosen, parts }
  return { userid, parts, answer: { tone: 'bad', text: desk.other(titleOfCopy(visit, first), userid) } }
}

async function show(visit: Visit, asked: Asked, refused?: Refused): Promise<Response> {
  const { desk } = visit.words
  const [done, { userid, chosen, copies = [], answer, parts }] = await Promise.all([
    refused ? undefined : doneBefore(visit),
    lookUp(visit, asked),
  ])
  const customer =
    userid === undefined
      ? undefined
      : await readCustomer(visit, userid, { left: done?.hold?.reservationid, chosen })
  const isScan = asked.scan !== undefined && !refused && !done && !answer
  const next = isScan ? (chosen ?? (customer?.ready.length === 1 ? customer.ready[0] : undefined)) : undefined
  const [only] = copies.length === 1 ? copies : []
  const work = {
    path: '/desk',
    title: desk.title,
    label: desk.label,
    help: desk.help,
    hidden: { userid },
    answer:
      refused?.answer ??
      done?.answer ??
      answer ??
      (isScan ? found(visit, { customer, next, chosen, copies }) : undefined),
    next: next && handOver(next),
    isFocusBelow: only !== undefined && !refused && !done,
    content: customer
      ? showCustomer(visit, customer, refused?.given)
      : only
        ? showCopy(visit, only)
        : copies.length > 0
          ? html`${showCopies(visit, copies)}`
          : html``,
    missing: [
      ...new Set([...missingOf([...parts, ...(customer?.parts ?? [])]), ...(refused?.missing ?? [])]),
    ],
  }
  return showWork(visit, work, refused?.status)
}

type Found = {
  customer: Customer | undefined
  next: Copy | undefined
  chosen: Copy | undefined
  copies: Copy[]
}

/** Says what a scan found, and what Enter does next. */
function found(visit: Visit, { customer, next, chosen, copies }: Found): Answer | undefined {
  const { desk } = visit.words
  const more = next ? html`${desk.enter}` : ''
  if (chosen) return { tone: 'good', text: desk.theirs(titleOfCopy(visit, chosen), chosen.userid), more }
  const [copy, ...others] = copies
  if (copy) {
    const title = titleOfCopy(visit, copy)
    return others.length > 0
      ? { tone: 'good', text: desk.several(title, copies.length) }
      : { tone: 'good', text: desk.theirs(title, copy.userid), more: html`${desk.scanCard}` }
  }
  if (!customer?.parts.every((it) => it.ok)) return undefined
  const { userid, ready, reserved, next: following } = customer
  const kind = ready.length > 0 ? 'ready' : 'reserved'
  const hasMore = (following[kind] ?? visit.query(kind)) !== undefined
  const text = desk.count(userid, ready.length, reserved.length, hasMore)
  return { tone: ready.length > 0 ? 'good' : 'warm', text, more }
}
