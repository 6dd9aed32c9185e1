/** `/shelf/ready`: copies on the hold shelf, until when, and their slips, which the page prints. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { Task } from '../apis/stock.ts'
import { dayOf, movedTo } from '../day.ts'
import { code, named, titleOfCopy, until } from '../desk/copy.ts'
import { attempt, doneAt, doneBefore, type Given, malformed, type Refused } from '../desk/holds.ts'
import { slips } from '../desk/slips.ts'
import { findTasks } from '../desk/tasks.ts'
import { inPlace, showWork, staff } from '../desk/work.ts'
import { hiddenFields, keyField, keySchema } from '../form.ts'
import type { Html } from '../html.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const perPage = 50

const extension = keySchema.extend({
  reservationid: z.uuid(),
  day: z.iso.date(),
  /** The deadline that the page showed. */
  pickupBy: z.iso.datetime(),
  after: z.string().max(400).optional(),
})

export function mountReady(routes: PageRoutes): void {
  const { apis, timeZone } = routes.site

  routes.get('/shelf/ready', staff, (visit) => show(visit, visit.query('after')))

  routes.post('/shelf/ready/extend', staff, async (visit) => {
    const form = await visit.form(extension)
    if (!form.ok) return show(visit, form.given.after, malformed(visit, form.given))
    const { key, reservationid, day, after, ...given } = form.values
    const pickupBy = movedTo(day, given.pickupBy, timeZone)
    const refused = await attempt(visit, reservationid, () =>
      apis.stock.changeHold(reservationid, { pickupBy }, key),
    )
    if (refused) return show(visit, after, { ...refused, given: { reservationid, day } })
    const list = after === undefined ? '/shelf/ready' : `/shelf/ready?after=${encodeURIComponent(after)}`
    return doneAt(visit, list, 'extended', reservationid)
  })
}

/** @param after of the page of the list. */
async function show(visit: Visit, after: string | undefined, refused?: Refused): Promise<Response> {
  const { words, apis } = visit
  const { ready, work } = words
  const scan = visit.query('scan')
  const [done, found, listed] = await Promise.all([
    refused ? undefined : doneBefore(visit),
    scan === undefined ? undefined : findTasks(apis, 'ready', scan),
    scan === undefined
      ? part(apis.stock.tasks({ kind: 'ready', limit: perPage, ...(after && { after }) }))
      : undefined,
  ])
  const page = listed ? pageOf(listed) : { items: [], after: undefined }
  const tasks = found?.tasks ?? page.items
  const [first] = found?.tasks ?? []
  const parts = [...(found?.parts ?? []), ...(listed ? [listed] : [])]
  const isComplete = parts.every((it) => it.ok)
  const answerToScan = first
    ? { tone: 'good' as const, text: ready.found(titleOfCopy(visit, first), tasks.length) }
    : scan !== undefined && isComplete
      ? { tone: 'bad' as const, text: ready.notFound(scan) }
      : undefined
  const content = html`${list(visit, tasks, after, refused?.given)}
${tasks.length === 0 && scan === undefined && isComplete ? html`<p class="empty">${ready.none}</p>` : ''}
${scan === undefined ? turnPage(visit, page.after) : html`<p><a href="/shelf/ready">${work.all}</a></p>`}
${slips(visit, tasks)}`
  return showWork(
    visit,
    {
      path: '/shelf/ready',
      title: ready.title,
      label: ready.label,
      help: ready.help,
      answer: refused?.answer ?? done?.answer ?? answerToScan,
      content,
      parts,
      ...(refused?.missing && { missing: refused.missing }),
    },
    refused?.status,
  )
}

function list(visit: Visit, tasks: Task[], after?: string, given: Given = {}): Html | '' {
  const { ready } = visit.words
  if (tasks.length === 0) return ''
  return html`<p class="print"><button type="button" class="quiet" data-print>${ready.print(tasks.length)}</button></p>
${table(ready.caption, columns(visit, after, given), tasks)}`
}

function columns(visit: Visit, after: string | undefined, given: Given): Column<Task>[] {
  const { work } = visit.words
  return [
    { name: work.book, cell: (it) => named(visit, it) },
    { name: work.code, cell: code },
    {
      name: work.customer,
      cell: ({ reservationid, userid }) =>
        html`<a class="person" href="/desk?scan=${reservationid}">${userid}</a>`,
    },
    { name: work.until, cell: (it) => until(visit, it) },
    {
      name: work.actions,
      cell: (it) =>
        html`<div class="actions">${extendForm(visit, it, after, given)}<a href="/shelf/ready?scan=${it.reservationid}">${work.slip}</a></div>`,
    },
  ]
}

/** A copy without a deadline stays anyway. */
function extendForm(
  visit: Visit,
  { reservationid, pickupBy }: Task,
  after: string | undefined,
  given: Given,
): Html | '' {
  if (pickupBy === null) return ''
  const { words, site } = visit
  const now = new Date().toISOString()
  const day = given.reservationid === reservationid ? given.day : undefined
  const [min, value] = [dayOf(now, site.timeZone), day ?? dayOf(pickupBy, site.timeZone)]
  return html`<details class="more"${day === undefined ? '' : html` open`}>
<summary>${words.ready.extend}</summary>
<form method="post" action="/shelf/ready/extend"${inPlace()}>${keyField()}${hiddenFields({
    reservationid,
    pickupBy,
    after,
  })}<label>${words.ready.until} <input type="date" name="day" min="${min}" value="${value}" required></label>
<button>${words.ready.extendYes}</button></form>
</details>`
}
