/** `/ops`: partitions and backlog of each service, live. */
import { type BacklogItem, backlogCountedMax, lettersCountedMax, type Partition } from '../apis/operators.ts'
import { type Html, html } from '../html.ts'
import { notices } from '../layout.ts'
import { live, liveRegion } from '../live.ts'
import { lettersPath } from '../ops/letter.ts'
import { noticesPath } from '../ops/notice.ts'
import {
  type Count,
  choosePartitions,
  countOf,
  partsOf,
  rateBetween,
  readStates,
  type ServiceState,
} from '../ops/service-state.ts'
import { missingOf } from '../part.ts'
import { replacing } from '../reservation.ts'
import type { PageRoutes } from '../routes.ts'
import { type Column, table } from '../table.ts'
import type { Visit } from '../visit.ts'
import { Watched } from '../watched.ts'
import { wordFor } from '../words/words.ts'

/** Of a page that is open. */
const everyMs = 4_000
/** Without scripts. */
const refreshS = 30

export function mountOps(routes: PageRoutes): void {
  const { apis } = routes.site
  const watched = new Watched({ read: () => readStates(apis), everyMs, stopping: routes.stopping })

  routes.get('/ops', ['operator'], async (visit) => {
    const states = await readStates(apis)
    const { ops } = visit.words
    const main = html`<h1>${ops.title}</h1>
<p class="help">${ops.live}</p>
${liveRegion('/ops/stream')}
${states.map((it) => section(visit, it))}`
    return visit.show({ title: ops.title, main, parts: states.flatMap(partsOf), refreshS })
  })

  routes.get('/ops/stream', ['operator'], (visit) =>
    live(visit, routes.stopping, async function* (signal) {
      const sent = new Map<string, string>()
      const counts = new Map<string, Count | undefined>()
      while (!signal.aborted) {
        const states = await watched.next()
        const missing = missingOf(states.flatMap(partsOf))
        const pieces = new Map<string, Html>()
        for (const it of states) {
          const count = countOf(it, performance.now())
          const rate = rateBetween(counts.get(it.service), count)
          counts.set(it.service, count)
          pieces.set(it.service, section(visit, it, { live: true, rate }))
        }
        pieces.set('notices', notices(visit.words, missing, true))
        for (const [name, piece] of pieces) {
          const text = String(await piece)
          if (text === sent.get(name)) continue
          sent.set(name, text)
          yield piece
        }
      }
    }),
  )
}

type SectionOptions = {
  live?: boolean
  /** Messages a second. Two readings are needed to know it. */
  rate?: number | undefined
}

function section(visit: Visit, state: ServiceState, { live = false, rate }: SectionOptions = {}): Html {
  const { ops } = visit.words
  const { service, ready, partitions, backlog } = state
  const badge = ready.ok
    ? html`<span class="badge good">${ops.ready}</span>`
    : html`<span class="badge bad">${ops.notReady}</span>`
  return html`<section id="ops-${service}" class="service" aria-labelledby="ops-${service}-name"${replacing(live)}>
<h2><span id="ops-${service}-name">${ops.services[service]}</span> ${badge}${
    rate === undefined ? '' : html` <small class="help">${ops.rate(Math.round(rate))}</small>`
  }</h2>
${
  partitions.ok && backlog.ok
    ? html`${backlogTable(visit, state, backlog.value)}${partitionTable(visit, state, partitions.value)}`
    : html`<p class="empty">${ops.noAnswer}</p>`
}
</section>`
}

function backlogTable({ words }: Visit, { service }: ServiceState, items: BacklogItem[]): Html | '' {
  const { ops } = words
  const columns: Column<BacklogItem>[] = [
    {
      name: ops.waits,
      cell({ name, channel, count }) {
        const kind = wordFor(ops.kinds, name)
        const text = channel === null ? kind : `${kind}: ${wordFor(ops.channel, channel)}`
        const status = noticeStatuses[name]
        if (status === undefined || count === 0) return text
        return html`<a href="${noticesPath({ status, channel: channel ?? undefined })}">${text}</a>`
      },
    },
    {
      name: ops.count,
      isNumber: true,
      cell: ({ count }) => (count < backlogCountedMax ? words.number(count) : ops.orMore(backlogCountedMax)),
    },
    {
      name: ops.oldest,
      isNumber: true,
      cell: ({ oldestSeconds }) => (oldestSeconds === null ? '–' : words.lasted(oldestSeconds)),
    },
  ]
  return table(ops.backlog(ops.services[service]), columns, items)
}

/** The notices that a kind of backlog counts. */
const noticeStatuses: Record<string, string> = { DueNotices: 'Pending', FailedNotices: 'Failed' }

function partitionTable(visit: Visit, { service }: ServiceState, all: Partition[]): Html {
  const { words } = visit
  const { ops } = words
  const columns: Column<Partition>[] = [
    { name: ops.partition, isNumber: true, cell: ({ partition }) => String(partition) },
    { name: ops.owner, cell: (it) => ownerCell(visit, it) },
    { name: ops.epoch, isNumber: true, cell: ({ epoch }) => words.number(epoch) },
    {
      name: ops.lag,
      isNumber: true,
      cell: ({ lag, lagError }) =>
        lag === null
          ? html`<span class="badge warm">${ops.lagUnknown}</span>${lagError && html`<small lang="en">${lagError}</small>`}`
          : words.number(lag),
    },
    { name: ops.processed, isNumber: true, cell: ({ processed }) => words.number(processed) },
    {
      name: ops.deadLetters,
      isNumber: true,
      cell({ partition, deadLetters }) {
        if (deadLetters === 0) return '0'
        const count =
          deadLetters < lettersCountedMax ? words.number(deadLetters) : ops.orMore(lettersCountedMax)
        return html`<a class="badge bad" href="${lettersPath({ service, partition })}">${count}</a>`
      },
    },
  ]
  const { shown, hidden } = choosePartitions(all)
  return html`${table(ops.partitions(ops.services[service]), columns, shown)}
${hidden > 0 ? html`<p class="empty">${ops.others(hidden)}</p>` : ''}`
}

function ownerCell({ words: { ops } }: Visit, { owner, leased }: Partition): Html {
  if (owner === null) return html`<span class="badge warm">${ops.noOwner}</span>`
  return leased
    ? html`<code>${owner}</code>`
    : html`<code>${owner}</code> <span class="badge warm">${ops.expired}</span>`
}
