/** The notifier turns stock's events into notices and delivers them. */
import { hostname, setPriority } from 'node:os'
import { Incarnation } from '../../streams/incarnation.ts'
import { lockTimeoutOf } from '../../streams/lease.ts'
import { closePostgres, openPostgres, requestTimeoutMs } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import { checkPartitions } from '../../streams/setup.ts'
import { Worker } from '../../streams/worker.ts'
import { serviceNames } from '../config.ts'
import { createApp } from '../http/app.ts'
import { ready } from '../http/health.ts'
import { openProbe } from '../http/probe.ts'
import { connectAll, openReads, Reads } from '../http/reads.ts'
import { topics } from '../messages.ts'
import { type Metrics, streamsTelemetry } from '../metrics.ts'
import { runService } from '../service.ts'
import { StoreClock } from '../store-clock.ts'
import { following } from '../tracing/messages.ts'
import { watchStores } from '../watch.ts'
import { type ChannelName, openChannels } from './channels/all.ts'
import { traceDelivered, traced } from './channels/traced.ts'
import { notifierSettings } from './config.ts'
import { type Print, printing } from './console.ts'
import type { Channel } from './delivery/delivery.ts'
import { Dispatcher } from './delivery/dispatch.ts'
import { Pruning } from './delivery/prune.ts'
import { type Mark, overdueSeconds } from './delivery/queue.ts'
import { DelayedWake } from './delivery/wake-signal.ts'
import { noticeHandler } from './handler.ts'
import { mountNotifier } from './http.ts'
import { routingOf } from './plan/routing.ts'

/** Events are read in larger batches: notices wait before they are sent anyway. */
const gatherMs = 200
/** Lists of notices for operators. */
const readsAtOnce = 2
/** On a machine shared by all services, a rush may delay notices, but notices never delay decisions. */
const niceness = 10

await runService(
  'notifier',
  async ({ config, log, lines, metrics, tracing, signal }) => {
    setPriority(niceness)
    const id = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
    const { databaseUrl, redisUrl, redisPrefix, leaseTtlMs, eventRetentionDays } = config
    const { noticeDelayMs, noticeGatherMs } = config
    const lockTimeoutMs = lockTimeoutOf(leaseTtlMs)
    const worked = openPostgres(databaseUrl, { schema: 'notifier', max: 2, hot: true, lockTimeoutMs })
    const dispatched = openPostgres(databaseUrl, { schema: 'notifier', max: 4, hot: true })
    const sql = openPostgres(databaseUrl, {
      schema: 'notifier',
      max: 3,
      statementTimeoutMs: requestTimeoutMs,
    })
    const reads = openReads(databaseUrl, 'notifier', readsAtOnce)
    const probe = openProbe(databaseUrl, 'notifier')
    await checkPartitions(sql, config.partitions)
    const clock = await StoreClock.open(probe.sql)
    await connectAll(reads)

    const printLines = printing({ log, lines: lines.of('notice printed'), now: clock.now })
    const print: Print = (notices) => {
      printLines(notices)
      if (tracing) traceDelivered(tracing, 'console', notices)
      metrics.notices('console', 'sent').inc(notices.length)
    }
    const channels = openChannels(config, clock.now)
    const routing = routingOf(
      config,
      channels.map((it) => it.name),
    )
    const wake = () => {
      for (const dispatcher of dispatchers) dispatcher.wake()
    }
    const sentLines = lines.of('notice sent')
    const dispatchers = channels.map(
      (channel) =>
        new Dispatcher({
          channel: traced(tracing, channel),
          sql: dispatched,
          routing,
          gatherMs: noticeGatherMs,
          log,
          lines: sentLines,
          count: counting(metrics, channel),
          onFallback: wake,
        }),
    )
    const incarnation = new Incarnation({ service: 'notifier', services: serviceNames, redisPrefix, log })
    const delayedWake = new DelayedWake(noticeDelayMs, wake)
    const worker = new Worker({
      service: 'notifier',
      id,
      topic: topics.stockEvents,
      partitions: config.partitions,
      handler: noticeHandler({
        sql: worked,
        worker: id,
        leaseMarginMs: leaseTtlMs / 2,
        routing,
        print,
        delays: { delayMs: noticeDelayMs, gatherMs: noticeGatherMs },
        onCommitted(superseded) {
          delayedWake.schedule()
          for (const it of superseded) metrics.notices(it.channel, 'superseded').inc(it.superseded)
        },
      }),
      incarnation,
      sql: worked,
      gatherMs,
      redisUrl,
      redisPrefix,
      leaseTtlMs,
      eventRetentionDays,
      log,
      telemetry: streamsTelemetry(metrics, tracing && following(tracing, 'notifier', topics.stockEvents)),
    })
    const pruning = new Pruning(sql, eventRetentionDays, log)

    const app = createApp({
      service: 'notifier',
      title: 'Notifier',
      description: 'Notifies customers, the purchaser and operators over their channels.',
      log,
      metrics,
      tracing,
    })
    mountNotifier({
      app,
      sql,
      reads: new Reads(reads, readsAtOnce),
      allowPrivate: config.webhookAllowPrivate,
      routing,
      alertToken: config.alertToken,
      print,
      wake,
    })

    const countOverdue = async () => {
      for (const { name } of channels) metrics.noticesOverdue(name).set(await overdueSeconds(sql, name))
    }

    const loops = [worker, pruning, ...dispatchers]
    const watching = new Pulse('watch-stores')
    return {
      app,
      pulses: () => [...worker.pulses, pruning.pulse, ...dispatchers.map((it) => it.pulse), watching],
      ready: () => ready(probe, incarnation),
      loops: [
        ...loops.map((it) => it.run(signal)),
        watchStores(
          {
            sql,
            worker,
            clock,
            partitions: config.partitions,
            metrics,
            log,
            pulse: watching,
            own: countOverdue,
          },
          signal,
        ),
      ],
      async close() {
        await Promise.all([worked, dispatched, sql, reads, probe.sql].map(closePostgres))
      },
    }
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
