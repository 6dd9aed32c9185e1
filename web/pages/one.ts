/** `/me/{reservationid}`: one reservation, its course, and what its customer can do. */
import type { Reservation } from '../apis/reservation.ts'
import { bookPath } from '../book.ts'
import { pickupFile } from '../calendar.ts'
import { courseOf, type Step } from '../course.ts'
import { notFound } from '../errors.ts'
import { type Html, html } from '../html.ts'
import { live, liveRegion, news } from '../live.ts'
import { part } from '../part.ts'
import {
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
import type { Visit } from '../visit.ts'
import type { Who } from '../who.ts'
import { wordFor } from '../words/words.ts'
import { refreshS, spoken } from './mine.ts'

export function mountOne(routes: PageRoutes): void {
  const { apis, titles } = routes.site

  /** @returns undefined when it is another customer's, as if there were none. */
  const own = async (visit: Visit, { userid }: Who): Promise<Reservation | undefined> => {
    const it = await apis.reservation.read('getReservation', { reservationid: visit.param('reservationid') })
    return it?.userid === userid ? it : undefined
  }
  const titleOf = async ({ bookid }: Reservation) => (await titles.of([bookid])).get(bookid)

  routes.get('/me/:reservationid', 'known', async (visit, who) => {
    const it = await own(visit, who)
    if (!it) return notFound(visit)
    const [title, course] = await Promise.all([titleOf(it), part(courseOf(apis, it))])
    const words = visit.words.reservation
    const heading = titleOfReservation(visit, it, title)
    const other = it._links.other?.href.split('/').at(-1)
    const main = html`<h1>${heading}</h1>
${title?.author ? html`<p class="author">${title.author}</p>` : ''}
${isActive(it) ? liveRegion(`${reservationPath(it.reservationid)}/stream`) : ''}
${outcome(visit, it)}
${other ? html`<p><a href="${reservationPath(other)}">${words.other}</a></p>` : ''}
<h2>${words.course}</h2>
${courseList(visit, course.ok ? course.value : [])}
<p><small>${words.number}: ${it.reservationid}</small></p>
<p><a href="${bookPath(it.bookid)}">${words.toBook}</a> · <a href="/me">${words.all}</a></p>`
    return visit.show({ title: heading, main, parts: [course], ...(isActive(it) && { refreshS }) })
  })

  routes.get('/me/:reservationid/stream', 'known', async (visit, who) => {
    const shown = await own(visit, who)
    if (!shown) return notFound(visit)
    const title = await titleOf(shown)
    const { reservationid } = shown
    let { status } = shown
    return live(visit, routes.stopping, async function* (signal) {
      for await (const it of apis.reservation.follow('followReservation', { reservationid }, signal)) {
        const course = await part(courseOf(apis, it))
        yield html`${outcome(visit, it, true)}${course.ok ? courseList(visit, course.value, true) : ''}${
          it.status === status ? '' : news(spoken(visit, it, title))
        }`
        status = it.status
        if (!isActive(it)) return
      }
    })
  })

  routes.post('/me/:reservationid/cancel', 'known', async (visit, who) => {
    const it = await own(visit, who)
    if (!it) return notFound(visit)
    const path = reservationPath(it.reservationid)
    const { ok } = await apis.reservation.call('cancelReservation', {
      reservationid: it.reservationid,
      body: { status: 'Canceled' },
    })
    return ok ? visit.goTo(`/me?at=${it.reservationid}`, 'canceled') : visit.goTo(path, 'cannotCancel')
  })

  routes.get('/me/:reservationid/pickup.ics', 'known', async (visit, who): Promise<Response> => {
    const it = await own(visit, who)
    if (!it?.pickupBy) return await notFound(visit)
    const title = titleOfReservation(visit, it, await titleOf(it))
    const { site, reservation } = visit.words
    const file = pickupFile({
      id: it.reservationid,
      name: site,
      summary: reservation.collectTitle(title),
      until: new Date(it.pickupBy),
      changed: new Date(it.updatedAt),
    })
    return visit.c.body(file, 200, {
      'content-type': 'text/calendar; charset=utf-8',
      'content-disposition': 'attachment; filename="pickup.ics"',
      'cache-control': 'no-store',
    })
  })
}

/** The present status, and what can be done now. */
function outcome(visit: Visit, it: Reservation, live = false): Html {
  const { reservation } = visit.words
  return html`<section id="${elementId(it)}" class="outcome" aria-label="${reservation.now}"${replacing(live)}>
<p class="state">${statusBadge(visit, it)}</p>
<p>${explained(visit, it)}</p>
${codeFor(visit, it)}
<div class="actions">
${it.pickupBy === null ? '' : html`<a href="${reservationPath(it.reservationid)}/pickup.ics">${reservation.calendar}</a>`}
${cancelForm(visit, it)}
</div>
</section>`
}

const courseList = ({ dates, words }: Visit, steps: Step[], live = false) =>
  html`<ol id="course" class="course" reversed${replacing(live)}>${steps.map(
    ({ at, name }) =>
      html`<li>${dates.happened(at)} <span>${words.notice[name] ?? wordFor(words.reservation.status, name)}</span></li>`,
  )}</ol>`
