/** `/ops/notices/{noticeid}`: one notice with its attempts, to be sent again or not at all. */
import { z } from 'zod'
import type { Attempt, NoticeWithAttempts } from '../apis/notifier.ts'
import { bookPath } from '../book.ts'
import { notFound } from '../errors.ts'
import { type Html, html } from '../html.ts'
import { live, liveRegion, news } from '../live.ts'
import { noticeBadge, noticePath, noticesPath } from '../ops/notice.ts'
import { polled } from '../polled.ts'
import { replacing } from '../reservation.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import type { Said, Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

/** Without scripts, of a page whose notice waits. */
const refreshS = 30

/** The attempts that the page has shown. */
const seenSchema = z.object({ attempts: z.coerce.number().int() })

export function mountNotice(routes: PageRoutes): void {
  const { notifier } = routes.site.apis

  routes.get('/ops/notices/:noticeid', ['operator'], async (visit) => {
    const it = await notifier.read('getNotice', { noticeid: visit.param('noticeid') })
    if (!it) return notFound(visit)
    const { ops } = visit.words
    const title = ops.notice.title(wordFor(ops.notices.kind, it.kind))
    const following = it.status === 'Pending'
    const main = html`<h1>${title}</h1>
${following ? liveRegion(`${noticePath(it.noticeid)}/stream`) : ''}
${now(visit, it)}
${facts(visit, it)}
<p><a href="${noticesPath()}">${ops.notice.list}</a></p>`
    return visit.show({ title, main, ...(following && { refreshS }) })
  })

  routes.get('/ops/notices/:noticeid/stream', ['operator'], (visit) =>
    live(visit, routes.stopping, async function* (signal) {
      const read = () => notifier.read('getNotice', { noticeid: visit.param('noticeid') })
      const isOver = (it: NoticeWithAttempts | undefined) => it?.status !== 'Pending'
      for await (const it of polled(read, isOver, signal)) {
        if (!it) continue
        const said = isOver(it) ? news(wordFor(visit.words.ops.notices.status, it.status)) : ''
        yield html`${now(visit, it, true)}${said}`
      }
    }),
  )

  const change = (status: 'Pending' | 'Suppressed', done: Said) => async (visit: Visit) => {
    const noticeid = visit.param('noticeid')
    const path = noticePath(noticeid)
    const submitted = await visit.form(seenSchema)
    if (!submitted.ok) return visit.goTo(path, 'again')
    const it = await notifier.read('getNotice', { noticeid })
    if (!it) return notFound(visit)
    // It was sent again since, by a click before this one for example.
    if (it.attempts !== submitted.values.attempts) return visit.goTo(path, 'noticeChanged')
    const { ok } = await notifier.call('changeNotice', { noticeid, body: { status } })
    return visit.goTo(path, ok ? done : 'noticeChanged')
  }
  routes.post('/ops/notices/:noticeid/retry', ['operator'], change('Pending', 'retried'))
  routes.post('/ops/notices/:noticeid/suppress', ['operator'], change('Suppressed', 'suppressed'))
}

/** The present state, what can be done, and the attempts. */
function now(visit: Visit, it: NoticeWithAttempts, live = false): Html {
  const { words, dates } = visit
  const { notice, notices } = words.ops
  const { status, sentAt, lastError, log } = it
  return html`<div id="notice"${replacing(live)}>
<section class="outcome" aria-label="${notices.statusName}">
<p>${noticeBadge(visit, it)} ${sentAt === null ? (notice.text[status] ?? '') : dates.happened(sentAt)}</p>
${lastError !== null && status !== 'Sent' ? html`<p>${notice.error}: <span class="whole" lang="en">${lastError}</span></p>` : ''}
<div class="actions">
${status === 'Failed' || status === 'Suppressed' ? form(it, 'retry', notice.retry) : ''}
${status === 'Failed' || status === 'Pending' ? form(it, 'suppress', notice.suppress) : ''}
</div>
</section>
${table(notice.caption, columns(visit), log)}
${it.attempts === 0 ? html`<p class="empty">${notice.none}</p>` : ''}
</div>`
}

const form = ({ noticeid, attempts }: NoticeWithAttempts, action: 'retry' | 'suppress', text: string) =>
  html`<form method="post" action="${noticePath(noticeid)}/${action}">
<input type="hidden" name="attempts" value="${attempts}">
<button${action === 'suppress' ? html` class="quiet"` : ''}>${text}</button></form>`

function columns({ words, dates }: Visit): Column<Attempt>[] {
  const { notice, notices, channel } = words.ops
  return [
    { name: notices.at, cell: ({ at }) => dates.happened(at) },
    { name: notices.channelName, cell: (it) => wordFor(channel, it.channel) },
    { name: notice.outcomeName, cell: ({ outcome }) => wordFor(notice.outcome, outcome) },
    { name: notice.errorName, cell: ({ error }) => (error ? html`<span lang="en">${error}</span>` : '–') },
    { name: notice.answer, cell: ({ answer }) => (answer ? html`<code>${answer}</code>` : '–') },
  ]
}

function facts({ words, dates }: Visit, it: NoticeWithAttempts): Html {
  const { notice, notices, channel } = words.ops
  const user = it.userid === null ? notices.staff : it.userid
  return html`<dl class="facts">
<dt>${notices.at}</dt><dd>${dates.happened(it.createdAt)}</dd>
<dt>${notices.user}</dt><dd>${user}</dd>
<dt>${notices.channelName}</dt><dd>${wordFor(channel, it.channel)}</dd>
${
  it.bookid === null
    ? ''
    : html`<dt>${notices.book}</dt><dd><a href="${bookPath(it.bookid)}">${it.title ?? it.bookid}</a></dd>`
}
${it.reservationid === null ? '' : html`<dt>${notice.reservation}</dt><dd><code>${it.reservationid}</code></dd>`}
</dl>`
}
