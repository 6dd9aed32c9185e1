/** A customer at the desk: the copies that are set aside for them, how many reservations they have, and a block. */
import type { Standing } from '../apis/reservation.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { type Part, part } from '../part.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { blockForms } from './block.ts'
import { type Copy, code, copyOfReservation, named, until } from './copy.ts'
import { cancelForm, handOverForm } from './hand-over.ts'
import type { Given } from './holds.ts'

export type Customer = {
  userid: string
  ready: Copy[]
  /** Not on the hold shelf yet. */
  reserved: Copy[]
  /** The keys of the next pages, if there are more. */
  next: { ready: string | undefined; reserved: string | undefined }
  standing: Standing | undefined
  parts: Part<unknown>[]
}

/** Of one customer and status. */
const perPage = 25

/**
 * The reservation service may lag behind stock.
 * @param options.left the reservation whose copy has just left.
 * @param options.chosen a copy that stock has set aside.
 */
export async function readCustomer(
  visit: Visit,
  userid: string,
  { left, chosen }: { left?: string | undefined; chosen?: Copy | undefined },
): Promise<Customer> {
  const { reservation } = visit.apis
  const listed = (status: string, after?: string) =>
    part(reservation.call('listReservations', { userid, status, limit: perPage, after }))
  const [ready, reserved, standing] = await Promise.all([
    listed('Ready', visit.query('ready')),
    listed('Reserved', visit.query('reserved')),
    part(reservation.read('getStanding', { userid })),
  ])
  const pages = [pageOf(ready), pageOf(reserved)] as const
  const here = pages.flatMap(({ items }) => items).filter((it) => it.reservationid !== left)
  const titles = await visit.site.titles.of(here.map((it) => it.bookid))
  const copies = here.map((it) => copyOfReservation(it, titles.get(it.bookid)))
  if (chosen && copies.every((it) => it.reservationid !== chosen.reservationid)) copies.unshift(chosen)
  return {
    userid,
    ready: copies.filter((it) => it.isReady),
    reserved: copies.filter((it) => !it.isReady),
    next: { ready: pages[0].after, reserved: pages[1].after },
    standing: standing.ok ? standing.value : undefined,
    parts: [ready, reserved, standing],
  }
}

/** @param given of a form that was refused. */
export function showCustomer(visit: Visit, customer: Customer, given: Given = {}): Html {
  const { desk } = visit.words
  const { userid, ready, reserved, next, standing } = customer
  return html`<section aria-labelledby="customer">
<h2 id="customer">${userid}</h2>
${standing ? standingLine(visit, standing) : ''}
${table(desk.ready, columns(visit, given, true), ready)}
${turnPage(visit, next.ready, 'ready')}
${table(desk.reserved, columns(visit, given, false), reserved)}
${turnPage(visit, next.reserved, 'reserved')}
<p class="actions"><a href="/return?userid=${encodeURIComponent(userid)}">${desk.has}</a></p>
${standing ? blockForms(visit, standing, given) : ''}
</section>`
}

function columns(visit: Visit, given: Given, areReady: boolean): Column<Copy>[] {
  const { work } = visit.words
  return [
    { name: work.book, cell: (it) => named(visit, it) },
    { name: work.code, cell: code },
    ...(areReady ? [{ name: work.until, cell: (it: Copy) => until(visit, it) }] : []),
    { name: work.actions, cell: (it) => actions(visit, it, given) },
  ]
}

const actions = (visit: Visit, copy: Copy, given: Given): Html =>
  html`<div class="actions">${handOverForm(visit, copy)}${cancelForm(visit, copy, given)}</div>`

function standingLine({ words: { desk }, dates }: Visit, { active, limit, block }: Standing): Html {
  const until = block?.until ? html` · ${desk.blockedUntil} ${dates.day(block.until)}` : ''
  return html`${limit === null ? '' : html`<p>${desk.standing(active.length, limit)}</p>`}${
    block ? html`<p><span class="badge bad">${desk.blocked}</span> ${block.reason}${until}</p>` : ''
  }`
}
