/** `/ops/notices`: notices, newest first, by status, kind, channel and customer. */
import type { Notice, NoticeFilter } from '../apis/notifier.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { noticeBadge, noticePath, noticesPath } from '../ops/notice.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

const perPage = 25

export function mountNotices(routes: PageRoutes): void {
  const { notifier } = routes.site.apis

  routes.get('/ops/notices', ['operator'], async (visit) => {
    const filter = {
      status: visit.query('status'),
      kind: visit.query('kind'),
      channel: visit.query('channel'),
      userid: visit.query('userid'),
    }
    const list = await part(
      notifier.call('listNotices', { ...filter, limit: perPage, after: visit.query('after') }),
    )
    const { items, after } = pageOf(list)
    const words = visit.words.ops.notices
    const none = noticesPath(filter) === noticesPath() ? words.empty : words.emptyFiltered
    const main = html`<h1>${words.title}</h1>
${filterForm(visit, filter)}
${table(words.caption, columns(visit), items)}
${items.length > 0 || !list.ok ? '' : html`<p class="empty">${none}</p>`}
${turnPage(visit, after)}`
    return visit.show({ title: words.title, main, parts: [list] })
  })
}

function columns(visit: Visit): Column<Notice>[] {
  const { ops } = visit.words
  const words = ops.notices
  return [
    {
      name: words.at,
      cell: ({ noticeid, createdAt }) =>
        html`<a href="${noticePath(noticeid)}">${visit.dates.happened(createdAt)}</a>`,
    },
    { name: words.kindName, cell: ({ kind }) => wordFor(words.kind, kind) },
    {
      name: words.user,
      cell: ({ userid }) =>
        userid === null ? html`<em>${words.staff}</em>` : html`<span class="person">${userid}</span>`,
    },
    {
      name: words.book,
      cell: ({ title, bookid }) => html`<span class="clamp">${title ?? bookid ?? '–'}</span>`,
    },
    { name: words.channelName, cell: ({ channel }) => wordFor(ops.channel, channel) },
    { name: words.statusName, cell: (it) => noticeBadge(visit, it) },
    { name: words.attempts, isNumber: true, cell: ({ attempts }) => visit.words.number(attempts) },
  ]
}

function filterForm({ words: { ops } }: Visit, filter: NoticeFilter): Html {
  const words = ops.notices
  const list = (name: 'status' | 'kind' | 'channel', label: string, options: Record<string, string>) =>
    html`<label>${label} <select name="${name}"><option value="">${ops.all}</option>
${Object.entries(options).map(
  ([value, text]) =>
    html`<option value="${value}"${value === filter[name] ? html` selected` : ''}>${text}</option>`,
)}</select></label>`
  return html`<search aria-label="${ops.filter}"><form action="/ops/notices" class="filters">
${list('status', words.statusName, words.status)}
${list('kind', words.kindName, words.kind)}
${list('channel', words.channelName, ops.channel)}
<label>${words.user} <input name="userid" value="${filter.userid ?? ''}" autocomplete="off"></label>
<button>${ops.apply}</button>
</form></search>`
}
