/** The notifier: turns stock's events into notices and takes these to the people they concern. */
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

/** Notices rest before they are sent anyway: events are taken in by the lot. */
const gatherMs = 200
/** Of lists of notices, in which operators look. */
const readsAtOnce = 2
/** On a machine that all services share, notices wait for decisions in a rush, never decisions for notices. */
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

    const tellOnConsole = consoleTeller({ log, lines: lines.of('told on the console'), now: clock.now })
    const tell = (notices: Told[]) => {
      tellOnConsole(notices)
      if (tracing) tracesTold(tracing, 'console', notices)
      metrics.notices('console', 'sent').inc(notices.length)
    }
    const channels = openChannels(config, clock.now)
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
          sql: dispatched,
          routing,
          gatherMs: noticeGatherMs,
          log,
          lines: toldLines,
          count: counting(metrics, channel),
          handedOn: ring,
        }),
    )
    const incarnation = new Incarnation({ service: 'notifier', services: serviceNames, redisPrefix, log })
    const chime = new Chime(noticeDelayMs, ring)
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
        tell,
        rests: { delayMs: noticeDelayMs, gatherMs: noticeGatherMs },
        noted(superseded) {
          chime.note()
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
      description: 'Tells customers and the purchaser of every outcome, by console, e-mail and webhook.',
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
      tell,
      ring,
    })

    const tellOverdue = async () => {
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
            own: tellOverdue,
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
