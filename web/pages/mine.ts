/** `/me`: the reservations of a customer, the active ones first and live. */
import type { Apis } from '../apis/apis.ts'
import type { Reservation } from '../apis/reservation.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { live, liveRegion, news } from '../live.ts'
import { part } from '../part.ts'
import {
  activeStatuses,
  cancelForm,
  codeFor,
  elementId,
  explained,
  isActive,
  replacing,
  reservationPath,
  statusBadge,
  titleOfReservation,
} from '../reservation.ts'
import type { PageRoutes } from '../routes.ts'
import type { Title } from '../titles.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

const perPage = 25
/** Of a customer, that a page follows: as many as the service does. */
const followedMax = 100
/** Without scripts, how often a page with something pending is loaded again. */
export const refreshS = 30

export function mountMine(routes: PageRoutes): void {
  const { apis, titles } = routes.site

  routes.get('/me', 'known', async (visit, { userid }) => {
    const after = visit.query('after')
    const [active, newest] = await Promise.all([
      part(after === undefined ? activeOf(apis, userid) : Promise.resolve([])),
      part(apis.reservation.call('listReservations', { userid, limit: perPage, after })),
    ])
    const page = pageOf(newest)
    // The first page begins with the active ones; those after it are the list as it is, however many are active.
    const current = after === undefined ? (active.ok ? active.value : []) : page.items.filter(isActive)
    const past = page.items.filter((it) => !isActive(it))
    const named = await titles.of([...current, ...past].map(({ bookid }) => bookid))
    const { mine } = visit.words
    const changed = visit.query('at')
    const rows = (those: Reservation[]) =>
      html`<ul class="rows">${those.map((it) =>
        row(visit, it, named.get(it.bookid), { focused: it.reservationid === changed }),
      )}</ul>`
    const main = html`<h1>${mine.title}</h1>
${current.length === 0 ? '' : liveRegion('/me/stream')}
${
  current.length > 0
    ? rows(current)
    : active.ok && after === undefined
      ? html`<p class="empty">${mine.none} <a href="/">${mine.find}</a></p>`
      : ''
}
${past.length === 0 ? '' : html`<h2>${mine.past}</h2>${rows(past)}`}
${turnPage(visit, page.after)}`
    const pending = current.length > 0 ? { refreshS } : {}
    return visit.show({ title: mine.title, main, parts: [active, newest], ...pending })
  })

  routes.get('/me/stream', 'known', (visit, { userid }) =>
    live(visit, routes.stopping, async function* (signal) {
      const statuses = new Map<string, string>()
      for await (const it of changesOf(apis, userid, signal)) {
        const before = statuses.get(it.reservationid)
        statuses.set(it.reservationid, it.status)
        const title = (await titles.of([it.bookid])).get(it.bookid)
        yield html`${row(visit, it, title, { live: true })}${
          before === undefined || before === it.status ? '' : news(spoken(visit, it, title))
        }`
      }
    }),
  )
}

/** @throws {ApiDown} */
async function activeOf({ reservation }: Apis, userid: string): Promise<Reservation[]> {
  const answers = await Promise.all(
    activeStatuses.map((status) =>
      reservation.call('listReservations', { userid, status, limit: followedMax }),
    ),
  )
  return answers.flatMap((it) => (it.ok ? it.body.items : []))
}

/**
 * Every reservation that may have changed since the page was rendered, then each change. The list is read after the stream has
 * begun: what ends before is in the list, and what ends afterwards is in the stream.
 * @throws {ApiDown}
 */
async function* changesOf({ reservation }: Apis, userid: string, signal: AbortSignal) {
  const events = reservation.follow('followReservations', { userid }, signal)
  const first = await events.next()
  const newest = await reservation.call('listReservations', { userid, limit: followedMax })
  if (newest.ok) yield* newest.body.items
  if (first.done) return
  yield first.value
  yield* events
}

/** For those who do not see the page. */
export const spoken = (visit: Visit, it: Reservation, title: Title | undefined): string =>
  `${titleOfReservation(visit, it, title)}: ${wordFor(visit.words.reservation.status, it.status)}`

type RowOptions = { live?: boolean; focused?: boolean }

function row(
  visit: Visit,
  it: Reservation,
  title: Title | undefined,
  { live = false, focused = false }: RowOptions = {},
): Html {
  return html`<li id="${elementId(it)}" tabindex="-1"${focused ? html` autofocus` : ''}${replacing(live)}>
<div><a href="${reservationPath(it.reservationid)}">${titleOfReservation(visit, it, title)}</a>
${title?.author ? html`<p>${title.author}</p>` : ''}
<p class="state">${statusBadge(visit, it)} ${explained(visit, it)}</p>
${codeFor(visit, it)}</div>
${cancelForm(visit, it)}
</li>`
}
