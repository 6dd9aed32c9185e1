/** The notifier: turns stock's events into notices and delivers them to the people they concern. */
import { setPriority } from 'node:os'
import { Reads } from '../http/reads.ts'
import { topics } from '../messages.ts'
import type { Metrics } from '../metrics.ts'
import { runService } from '../service.ts'
import { ServiceParts } from '../service-parts.ts'
import { type ChannelName, openChannels } from './channels/all.ts'
import { traced, tracesTold } from './channels/traced.ts'
import { notifierSettings } from './config.ts'
import { consoleTeller, type Told } from './console.ts'
import { Chime } from './delivery/chime.ts'
import type { Channel } from './delivery/delivery.ts'
import { Dispatcher } from './delivery/dispatch.ts'
import { Pruning } from './delivery/prune.ts'
import { type Mark, overdueSeconds } from './delivery/queue.ts'
import { noticeHandler } from './handler.ts'
import { mountNotifier } from './http.ts'
import { routingOf } from './plan/routing.ts'

/** Notices are delayed anyway, so events are handled in larger batches. */
const gatherMs = 200
/** Concurrent reads of lists. */
const readsAtOnce = 2
/** Under load on a shared machine, notices wait for decisions, never decisions for notices. */
const niceness = 10

await runService(
  'notifier',
  async (given) => {
    setPriority(niceness)
    const { config, log, lines, metrics, tracing } = given
    const { noticeDelayMs, noticeGatherMs } = config
    const parts = await ServiceParts.open(given)
    const { sql, workerSql, now } = parts
    const dispatcherSql = parts.openSql({ max: 4, hot: true })
    const reads = new Reads(await parts.openReads(readsAtOnce), readsAtOnce)

    const tellOnConsole = consoleTeller({ log, lines: lines.of('told on the console'), now: now })
    const tell = (notices: Told[]) => {
      tellOnConsole(notices)
      if (tracing) tracesTold(tracing, 'console', notices)
      metrics.notices('console', 'sent').inc(notices.length)
    }
    const channels = openChannels(config, now)
    const routing = routingOf(
      config,
      channels.map((it) => it.name),
    )
    const ring = () => {
      for (const dispatcher of dispatchers) dispatcher.ring()
    }
    const toldLines = lines.of('told')
    const dispatchers = channels.map(
      (channel) =>
        new Dispatcher({
          channel: traced(tracing, channel),
          sql: dispatcherSql,
          routing,
          gatherMs: noticeGatherMs,
          log,
          lines: toldLines,
          count: counting(metrics, channel),
          handedOn: ring,
        }),
    )
    const chime = new Chime(noticeDelayMs, ring)
    const worker = parts.worker({
      topic: topics.stockEvents,
      gatherMs,
      handler: noticeHandler({
        sql: workerSql,
        worker: parts.id,
        leaseMarginMs: config.leaseTtlMs / 2,
        routing,
        tell,
        rests: { delayMs: noticeDelayMs, gatherMs: noticeGatherMs },
        noted(superseded) {
          chime.note()
          for (const it of superseded) metrics.notices(it.channel, 'superseded').inc(it.superseded)
        },
      }),
    })

    const app = parts.app(
      'Notifier',
      'Notifies customers and the purchaser of every outcome, by console, e-mail and webhook.',
    )
    mountNotifier({
      app,
      sql,
      reads,
      allowPrivate: config.webhookAllowPrivate,
      routing,
      alertToken: config.alertToken,
      tell,
      ring,
    })

    const watching = parts.watchStores(worker, async () => {
      for (const { name } of channels) metrics.noticesOverdue(name).set(await overdueSeconds(sql, name))
    })
    const pruning = new Pruning(sql, config.eventRetentionDays, log)
    return parts.start(app, [worker, pruning, ...dispatchers, watching])
  },
  notifierSettings,
)

function counting(metrics: Metrics, { name }: Channel<ChannelName>) {
  const counted = {
    sent: 'sent',
    retry: 'retried',
    fallback: 'refused',
    failed: 'failed',
    superseded: 'superseded',
  } as const
  return (outcome: Mark['outcome'], notices: number) => {
    if (outcome !== 'deferred') metrics.notices(name, counted[outcome]).inc(notices)
  }
}
