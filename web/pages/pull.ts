/** `/shelf/pull`: copies to fetch for the hold shelf. */
import { z } from 'zod'
import { withQuery } from '../address.ts'
import type { Task } from '../apis/stock.ts'
import { code, named, titleOfCopy } from '../desk/copy.ts'
import { attempt, doneAt, malformed, type Refused } from '../desk/holds.ts'
import { showTasks } from '../desk/task-list.ts'
import { inPlace, lookUpAt, scanSchema, staff } from '../desk/work.ts'
import { hiddenFields, keyField, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import type { Visit } from '../visit.ts'

const change = keySchema.extend({
  reservationid: z.uuid(),
  /** The page of the list, which is shown again. */
  after: z.string().max(400).optional(),
})
const shelving = change.extend(scanSchema.shape)

export function mountPull(routes: PageRoutes): void {
  const { stock } = routes.site.apis

  routes.get('/shelf/pull', staff, (visit) => show(visit, visit.query('after')))

  routes.post('/shelf/pull/shelve', staff, async (visit) => {
    const form = await visit.form(shelving)
    if (!form.ok) return show(visit, form.given.after, malformed(visit))
    const { key, reservationid, after, scan } = form.values
    if (scan) return visit.goTo(lookUpAt('/shelf/pull', scan))
    const refused = await attempt(visit, reservationid, () =>
      stock.call('changeHold', { reservationid, body: { status: 'Ready' }, key }),
    )
    if (refused) return show(visit, after, refused)
    return doneAt(visit, withQuery('/shelf/pull', { after }), 'shelved', reservationid)
  })

  routes.post('/shelf/pull/lost', staff, async (visit) => {
    const form = await visit.form(change)
    if (!form.ok) return show(visit, form.given.after, malformed(visit))
    const { key, reservationid, after } = form.values
    const refused =
      (await shelvedMeanwhile(visit, reservationid)) ??
      (await attempt(visit, reservationid, () =>
        stock.call('changeHold', { reservationid, body: { status: 'Waiting', cause: 'Lost' }, key }),
      ))
    return refused
      ? show(visit, after, refused)
      : doneAt(visit, withQuery('/shelf/pull', { after }), 'lost', reservationid)
  })
}

/** A list may be old: another person may have found the copy since. */
async function shelvedMeanwhile(visit: Visit, reservationid: string): Promise<Refused | undefined> {
  const hold = await part(visit.apis.stock.read('getHold', { reservationid }))
  if (!hold.ok || hold.value?.status !== 'Ready') return undefined
  const { notDone, now } = visit.words.work
  return { answer: { tone: 'bad', text: `${notDone} ${now.Ready}` }, status: 409 }
}

/** @param after of the page of the list. */
function show(visit: Visit, after: string | undefined, refused?: Refused): Promise<Response> {
  const { pull, work } = visit.words
  return showTasks(visit, {
    kind: 'pull',
    after,
    refused,
    found: (task, tasks) => ({
      tone: 'good',
      text: pull.found(titleOfCopy(visit, task), tasks.length),
      more: html`${pull.enter} ${work.code} <strong>${code(task)}</strong>`,
    }),
    next: shelve,
    content: (tasks) => html`${table(pull.caption, columns(visit, after), tasks)}`,
  })
}

function columns(visit: Visit, after: string | undefined): Column<Task>[] {
  const { work, pull } = visit.words
  return [
    { name: work.book, cell: (it) => named(visit, it) },
    { name: work.isbn, cell: ({ isbn }) => isbn || '–' },
    { name: work.code, cell: code },
    { name: pull.since, cell: ({ since }) => visit.dates.short(since) },
    {
      name: work.actions,
      cell: (it) =>
        html`<div class="actions">${shelveForm(visit, shelve(it, after))}${lostForm(visit, it, after)}</div>`,
    },
  ]
}

type Shelve = { action: string; fields: Record<string, string | undefined> }

/** @param after of the page of the list, which is shown again. */
const shelve = ({ reservationid }: Task, after?: string): Shelve => ({
  action: '/shelf/pull/shelve',
  fields: { reservationid, after },
})

export const shelveForm = (visit: Visit, { action, fields }: Shelve): Html =>
  html`<form method="post" action="${action}"${inPlace()}>${keyField()}${hiddenFields(
    fields,
  )}<button>${visit.words.pull.shelve}</button></form>`

/** Asks first: the library has one copy less afterwards. */
const lostForm = (visit: Visit, { reservationid, since }: Task, after: string | undefined): Html =>
  html`<details class="more">
<summary>${visit.words.pull.lost}</summary>
<form method="post" action="/shelf/pull/lost"${inPlace()}>${keyField('lost', reservationid, since)}${hiddenFields(
    {
      reservationid,
      after,
    },
  )}<p>${visit.words.pull.lostAsk}</p>
<button>${visit.words.pull.lostYes}</button></form>
</details>`
