/** The notifier turns stock's events into notices and delivers them. */
import { getPriority, setPriority } from 'node:os'
import { Reads } from '../../platform/http/reads.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { runService, type Service, type Surroundings } from '../../platform/service.ts'
import { ServiceParts } from '../../platform/service-parts.ts'
import { topics } from '../messages.ts'
import { type ChannelName, openChannels } from './channels/all.ts'
import { traceDelivered, traced } from './channels/traced.ts'
import { type NotifierConfig, notifierSettings } from './config.ts'
import { type Print, printing } from './console.ts'
import type { Channel } from './delivery/delivery.ts'
import { Dispatcher } from './delivery/dispatch.ts'
import { type Mark, overdueSeconds } from './delivery/queue.ts'
import { noticeRetention } from './delivery/retention.ts'
import { DelayedWake } from './delivery/wake-signal.ts'
import { noticeHandler } from './handler.ts'
import { about, mountNotifier } from './http.ts'
import { backlogKinds, readBacklog } from './operators/backlog.ts'
import { routingOf } from './plan/routing.ts'

/** Events are read in larger batches: notices wait before they are sent anyway. */
const gatherMs = 200
/** Lists of notices for operators. */
const readsAtOnce = 2
/** On a machine shared by all services, a rush may delay notices, but notices never delay decisions. */
const niceness = 10

await runService('notifier', start, notifierSettings)

async function start(given: Surroundings<NotifierConfig>): Promise<Service> {
  const { config, log, lines, metrics, tracing } = given
  const { noticeDelayMs, noticeGatherMs } = config
  const parts = await ServiceParts.open(given)
  const { sql, workerSql, now } = parts
  const dispatcherSql = parts.openSql({ max: 4, hot: true })
  const reads = new Reads(await parts.openReads(readsAtOnce), readsAtOnce)

  const printLines = printing({ log, lines, now })
  const print: Print = (notices) => {
    printLines(notices)
    if (tracing) traceDelivered(tracing, 'console', notices)
    metrics.notices('console', 'sent').inc(notices.length)
  }
  const channels = openChannels(config, now)
  const channelNames = channels.map((it) => it.name)
  const routing = routingOf(config, channelNames)
  const wake = () => {
    for (const dispatcher of dispatchers) dispatcher.wake()
  }
  const sentLines = lines.of('notice sent')
  const dispatchers = channels.map(
    (channel) =>
      new Dispatcher({
        channel: traced(tracing, channel),
        sql: dispatcherSql,
        routing,
        gatherMs: noticeGatherMs,
        log,
        lines: sentLines,
        count: counting(metrics, channel),
        onFallback: wake,
      }),
  )
  const delayedWake = new DelayedWake(noticeDelayMs, wake)
  const worker = parts.worker({
    topic: topics.stockEvents,
    gatherMs,
    handler: noticeHandler({
      sql: workerSql,
      worker: parts.id,
      leaseMarginMs: config.leaseTtlMs / 2,
      routing,
      print,
      delays: { delayMs: noticeDelayMs, gatherMs: noticeGatherMs },
      onCommitted(superseded) {
        delayedWake.schedule()
        for (const it of superseded) metrics.notices(it.channel, 'superseded').inc(it.superseded)
      },
    }),
  })

  const app = parts.app(about)
  mountNotifier({
    app,
    sql,
    reads,
    allowPrivate: config.webhookAllowPrivate,
    routing,
    alertToken: config.alertToken,
    print,
    wake,
    audit: parts.audit,
  })
  parts.mountOperators(app, {
    reads,
    redis: parts.openRedis(),
    topic: topics.stockEvents,
    backlogKinds,
    readBacklog: (sql) => readBacklog(sql, channelNames),
  })

  const watching = parts.watchStores(worker, async () => {
    for (const { name } of channels) metrics.noticesOverdue(name).set(await overdueSeconds(sql, name))
  })
  const pruning = noticeRetention(sql, config.eventRetentionDays, log)
  // Last, because a busy machine would make the connections that are opened above take too long. A priority that is lower already
  // stays: only root may raise one.
  setPriority(Math.max(niceness, getPriority()))
  return parts.start(app, [worker, pruning, ...dispatchers, watching])
}

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
