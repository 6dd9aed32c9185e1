/** `/ops/letters`: messages that were set aside. Those that are alike can be handled again together. */
import { z } from 'zod'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import type { Letter } from '../apis/operators.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { type LetterList, letterBadge, letterListOf, letterPath, lettersPath } from '../ops/letter.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const perPage = 25
/** Of one call. */
const redriveMax = 1_000

const redriveSchema = z.object({ until: z.iso.datetime() })
/** In the address after a redrive. */
const redrivenSchema = z.object({
  redriven: z.coerce.number().int().min(0).max(redriveMax),
  more: z.stringbool(),
  until: z.iso.datetime(),
})
type Redriven = z.output<typeof redrivenSchema>

type Row = Letter & { service: ServiceName }

export function mountLetters(routes: PageRoutes): void {
  const { apis } = routes.site

  routes.get('/ops/letters', ['operator'], async (visit) => {
    const { service, ...filter } = letterListOf(visit)
    // A key belongs to the list of one service.
    const after = service && visit.query('after')
    const lists = await Promise.all(
      serviceNames
        .filter((it) => service === undefined || it === service)
        .map(async (it) => ({
          service: it,
          list: await part(apis.operators[it].call('listDeadLetters', { ...filter, limit: perPage, after })),
        })),
    )
    const pages = lists.map((it) => ({ service: it.service, ...pageOf(it.list) }))
    const rows = pages
      .flatMap(({ service, items }) => items.map((it) => ({ ...it, service })))
      .toSorted((a, b) => a.at.localeCompare(b.at))
    const words = visit.words.ops.letters
    const list = { service, ...filter }
    const isFiltered = lettersPath(list) !== lettersPath()
    const complete = lists.every((it) => it.list.ok)
    const main = html`<h1>${words.title}</h1>
<p>${words.text}</p>
${filterForm(visit, list)}
${redriveLike(visit, list, rows.length > 0)}
${table(words.caption, columns(visit, list), rows)}
${rows.length > 0 || !complete ? '' : html`<p class="empty">${isFiltered ? words.emptyFiltered : words.empty}</p>`}
${service ? turnPage(visit, pages[0]?.after) : moreOf(visit, pages, list)}`
    return visit.show({ title: words.title, main, parts: lists.map((it) => it.list) })
  })

  routes.post('/ops/letters/redrive', ['operator'], async (visit) => {
    const { service, ...filter } = letterListOf(visit)
    const submitted = await visit.form(redriveSchema)
    const path = lettersPath({ service, ...filter })
    if (!submitted.ok || !service || !isRedrivable({ service, ...filter })) return visit.goTo(path, 'again')
    const answer = await apis.operators[service].call('redriveDeadLetters', {
      body: { ...filter, ...submitted.values },
    })
    if (!answer.ok) return visit.goTo(path, 'again')
    const { redriven, more, until } = answer.body
    const result = new URLSearchParams({ redriven: String(redriven), more: String(more), until })
    return visit.goTo(`${path}&${result}`)
  })
}

/** All letters of one service that are alike. */
const isRedrivable = ({ service, reason, bookid, partition }: LetterList): boolean =>
  service !== undefined && [reason, bookid, partition].some((it) => it !== undefined)

function columns(visit: Visit, list: LetterList): Column<Row>[] {
  const { ops } = visit.words
  const words = ops.letters
  return [
    {
      name: words.at,
      cell: ({ service, letterid, at }) =>
        html`<a href="${letterPath(service, letterid)}">${visit.dates.happened(at)}</a>`,
    },
    { name: words.place, cell: ({ service, partition }) => `${ops.services[service]}, ${partition}` },
    { name: words.type, cell: ({ type }) => type ?? words.untyped },
    { name: words.book, cell: ({ bookid }) => bookid ?? '–' },
    {
      name: words.reason,
      cell: (it) => html`${reasonOf(it, list)}${isPlain(it) ? '' : letterBadge(visit, it)}`,
    },
  ]
}

/** A letter that was set aside, and can be handled again: its state needs no badge. */
const isPlain = ({ status, redrivable }: Letter): boolean => redrivable && status === 'SetAside'

/** It leads to the letters that have it, too. */
const reasonOf = ({ service, reason }: Row, list: LetterList): Html =>
  list.reason === reason
    ? html`<span class="reason clamp" lang="en">${reason}</span>`
    : html`<a class="reason clamp" lang="en" href="${lettersPath({ ...list, service, reason })}">${reason}</a>`

function filterForm({ words: { ops } }: Visit, { service, reason, bookid, partition }: LetterList): Html {
  const words = ops.letters
  const chosen = (it: ServiceName) => (it === service ? html` selected` : '')
  return html`<search aria-label="${ops.filter}"><form action="/ops/letters" class="filters">
<label>${words.service} <select name="service"><option value="">${ops.all}</option>
${serviceNames.map((it) => html`<option value="${it}"${chosen(it)}>${ops.services[it]}</option>`)}</select></label>
<label>${words.partition} <input name="partition" inputmode="numeric" pattern="[0-9]{1,4}" value="${partition ?? ''}"></label>
<label>${words.book} <input name="bookid" value="${bookid ?? ''}" autocomplete="off"></label>
<button>${ops.apply}</button>
</form>
${
  reason === undefined
    ? ''
    : html`<p>${words.reason}: <strong lang="en">${reason}</strong>
<a href="${lettersPath({ service, bookid, partition })}">${ops.clear}</a></p>`
}</search>`
}

/**
 * The form names the time up to which letters were set aside. So a letter that fails again is not handled once more when the form is
 * sent twice.
 */
function redriveLike(visit: Visit, list: LetterList, some: boolean): Html | '' {
  const { letters } = visit.words.ops
  const done = redrivenSchema.safeParse(visit.c.req.query())
  const result = done.success ? outcome(visit, done.data) : ''
  const offered = done.success ? done.data.more : some
  if (!isRedrivable(list) || !offered) return result
  const until = done.success ? done.data.until : new Date().toISOString()
  return html`${result}
<form method="post" action="${lettersPath(list, '/ops/letters/redrive')}" class="offer">
<input type="hidden" name="until" value="${until}">
<p>${letters.likeText}</p>
<button>${done.success ? letters.likeNext(redriveMax) : letters.like(redriveMax)}</button>
</form>`
}

function outcome({ words }: Visit, { redriven, more }: Redriven): Html {
  const { letters } = words.ops
  if (redriven === 0) return html`<p class="notice" role="status">${letters.redrivenNone}</p>`
  return html`<p class="said" role="status">${letters.redriven(redriven)} ${more ? letters.remain : ''}</p>`
}

/** Lists of all services show the oldest of each. */
function moreOf(
  { words: { ops } }: Visit,
  pages: { service: ServiceName; after: string | undefined }[],
  list: LetterList,
): Html | '' {
  const further = pages.filter((it) => it.after !== undefined)
  if (further.length === 0) return ''
  return html`<ul>${further.map(
    ({ service }) =>
      html`<li><a href="${lettersPath({ ...list, service })}">${ops.letters.more(ops.services[service])}</a></li>`,
  )}</ul>`
}
