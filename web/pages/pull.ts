/** `/shelf/pull`: copies to fetch for the hold shelf. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { Task } from '../apis/stock.ts'
import { code, named, titleOfCopy } from '../desk/copy.ts'
import { attempt, doneAt, doneBefore, malformed, type Refused } from '../desk/holds.ts'
import { findTasks } from '../desk/tasks.ts'
import { inPlace, lookUpAt, scanSchema, showWork, staff } from '../desk/work.ts'
import { hiddenFields, keyField, keySchema } from '../form.ts'
import type { Html } from '../html.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const perPage = 50

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
      stock.changeHold(reservationid, { status: 'Ready' }, key),
    )
    if (refused) return show(visit, after, refused)
    return doneAt(visit, listFrom(after), 'shelved', reservationid)
  })

  routes.post('/shelf/pull/lost', staff, async (visit) => {
    const form = await visit.form(change)
    if (!form.ok) return show(visit, form.given.after, malformed(visit))
    const { key, reservationid, after } = form.values
    const refused =
      (await shelvedMeanwhile(visit, reservationid)) ??
      (await attempt(visit, reservationid, () =>
        stock.changeHold(reservationid, { status: 'Waiting', cause: 'Lost' }, key),
      ))
    return refused ? show(visit, after, refused) : doneAt(visit, listFrom(after), 'lost', reservationid)
  })
}

const listFrom = (after: string | undefined): string =>
  after === undefined ? '/shelf/pull' : `/shelf/pull?after=${encodeURIComponent(after)}`

/** A list may be old: another person may have found the copy since. */
async function shelvedMeanwhile(visit: Visit, reservationid: string): Promise<Refused | undefined> {
  const hold = await part(visit.apis.stock.hold(reservationid))
  if (!hold.ok || hold.value?.status !== 'Ready') return undefined
  const { notDone, now } = visit.words.work
  return { answer: { tone: 'bad', text: `${notDone} ${now.Ready}` }, status: 409 }
}

/** @param after of the page of the list. */
async function show(visit: Visit, after: string | undefined, refused?: Refused): Promise<Response> {
  const { words, apis } = visit
  const { pull, work } = words
  const scan = visit.query('scan')
  const [done, found, listed] = await Promise.all([
    refused ? undefined : doneBefore(visit),
    scan === undefined ? undefined : findTasks(apis, 'pull', scan),
    scan === undefined
      ? part(apis.stock.tasks({ kind: 'pull', limit: perPage, ...(after && { after }) }))
      : undefined,
  ])
  const page = listed ? pageOf(listed) : { items: [], after: undefined }
  const tasks = found?.tasks ?? page.items
  const [next] = found?.tasks ?? []
  const parts = [...(found?.parts ?? []), ...(listed ? [listed] : [])]
  const isComplete = parts.every((it) => it.ok)
  const answerToScan = next
    ? {
        tone: 'good' as const,
        text: pull.found(titleOfCopy(visit, next), tasks.length),
        more: html`${pull.enter} ${work.code} <strong>${code(next)}</strong>`,
      }
    : scan !== undefined && isComplete
      ? { tone: 'bad' as const, text: pull.notFound(scan) }
      : undefined
  const content = html`${table(pull.caption, columns(visit, after), tasks)}
${tasks.length === 0 && scan === undefined && isComplete ? html`<p class="empty">${pull.none}</p>` : ''}
${scan === undefined ? turnPage(visit, page.after) : html`<p><a href="/shelf/pull">${work.all}</a></p>`}`
  return showWork(
    visit,
    {
      path: '/shelf/pull',
      title: pull.title,
      label: pull.label,
      help: pull.help,
      answer: refused?.answer ?? done?.answer ?? answerToScan,
      next: refused || !next ? undefined : shelve(next),
      content,
      parts,
      ...(refused?.missing && { missing: refused.missing }),
    },
    refused?.status,
  )
}

function columns(visit: Visit, after: string | undefined): Column<Task>[] {
  const { work } = visit.words
  return [
    { name: work.book, cell: (it) => named(visit, it) },
    { name: work.isbn, cell: ({ isbn }) => isbn || '–' },
    { name: work.code, cell: code },
    { name: work.since, cell: ({ since }) => visit.dates.short(since) },
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
