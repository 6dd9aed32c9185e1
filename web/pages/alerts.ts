/** `/ops/alerts`: alerts that fire, and past ones. */
import type { Alert } from '../apis/notifier.ts'
import { type Html, html } from '../html.ts'
import { pageOf } from '../list.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import { turnPage } from '../turn.ts'
import type { Visit } from '../visit.ts'

const perPage = 25
/** Without scripts. */
const refreshS = 30

export function mountAlerts(routes: PageRoutes): void {
  const { notifier } = routes.site.apis

  routes.get('/ops/alerts', ['operator'], async (visit) => {
    const [firing, past] = await Promise.all([
      part(notifier.call('listAlerts', { status: 'Firing', limit: perPage, after: visit.query('firing') })),
      part(notifier.call('listAlerts', { status: 'Resolved', limit: perPage, after: visit.query('after') })),
    ])
    const { alerts } = visit.words.ops
    const [now, before] = [pageOf(firing), pageOf(past)]
    const list = (caption: string, items: Alert[], isKnown: boolean, none: string) =>
      table(caption, columns(visit), items) || (isKnown ? html`<p class="empty">${none}</p>` : '')
    const main = html`<h1>${alerts.title}</h1>
${list(alerts.firing, now.items, firing.ok, alerts.none)}
${turnPage(visit, now.after, 'firing')}
${list(alerts.past, before.items, past.ok, alerts.nonePast)}
${turnPage(visit, before.after)}`
    return visit.show({ title: alerts.title, main, parts: [firing, past], refreshS })
  })
}

function columns({ words, dates }: Visit): Column<Alert>[] {
  const { alerts } = words.ops
  return [
    { name: alerts.name, cell: (it) => nameCell(it) },
    { name: alerts.severity, cell: ({ labels }) => labels.severity ?? '–' },
    {
      name: alerts.description,
      cell({ annotations, generatorURL }) {
        const text = annotations.description ?? annotations.summary ?? ''
        const links = [
          [alerts.runbook, annotations.runbook_url ?? ''],
          [alerts.rule, generatorURL],
        ].filter(([, url]) => isWeb(url!))
        if (text === '' && links.length === 0) return ''
        return html`<span lang="en">${text}</span> ${links.map(
          ([name, url]) => html`<a href="${url!}" rel="noreferrer">${name!}</a> `,
        )}`
      },
    },
    {
      name: alerts.since,
      cell: ({ startsAt, endsAt }) =>
        html`${dates.happened(startsAt)}${endsAt === null ? '' : html`<small>${alerts.until}: ${dates.happened(endsAt)}</small>`}`,
    },
  ]
}

/** An alert is one of several with its name: the labels say which. */
function nameCell({ labels, annotations }: Alert): Html {
  const { alertname, severity: _, ...others } = labels
  const which = Object.entries(others).map(([name, value]) => `${name}=${value}`)
  return html`<strong lang="en">${alertname ?? annotations.summary ?? '–'}</strong>${
    which.length === 0 ? '' : html`<small>${which.join(', ')}</small>`
  }`
}

/** Anything else, such as a script, is no link. */
const isWeb = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
