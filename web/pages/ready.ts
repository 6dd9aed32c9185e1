/** `/shelf/ready`: copies on the hold shelf, until when, and their slips, which the page prints. */
import { z } from 'zod'
import { withQuery } from '../address.ts'
import type { Task } from '../apis/stock.ts'
import { dayOf, movedTo } from '../day.ts'
import { code, named, titleOfCopy, until } from '../desk/copy.ts'
import { attempt, doneAt, type Given, malformed, type Refused } from '../desk/holds.ts'
import { slips } from '../desk/slips.ts'
import { showTasks } from '../desk/task-list.ts'
import { inPlace, staff } from '../desk/work.ts'
import { hiddenFields, keyField, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import type { Visit } from '../visit.ts'

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
      apis.stock.call('changeHold', { reservationid, body: { pickupBy }, key }),
    )
    if (refused) return show(visit, after, { ...refused, given: { reservationid, day } })
    return doneAt(visit, withQuery('/shelf/ready', { after }), 'extended', reservationid)
  })
}

/** @param after of the page of the list. */
function show(visit: Visit, after: string | undefined, refused?: Refused): Promise<Response> {
  const { ready } = visit.words
  return showTasks(visit, {
    kind: 'ready',
    after,
    refused,
    found: (task, tasks) => ({ tone: 'good', text: ready.found(titleOfCopy(visit, task), tasks.length) }),
    content: (tasks) => html`${list(visit, tasks, after, refused?.given)}${slips(visit, tasks)}`,
  })
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
