/** The reservation service: accepts reservations, and decides them from stock's events. */
import { hostname } from 'node:os'
import { Incarnation } from '../../streams/incarnation.ts'
import { lockTimeoutOf } from '../../streams/lease.ts'
import { closePostgres, openPostgres, requestTimeoutMs } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import { openRedis } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { checkPartitions } from '../../streams/setup.ts'
import { Wakeup } from '../../streams/wakeup.ts'
import { Worker } from '../../streams/worker.ts'
import { serviceNames } from '../config.ts'
import { createApp } from '../http/app.ts'
import { ready } from '../http/health.ts'
import { placesToWait } from '../http/held.ts'
import { Forgetting } from '../http/idempotency.ts'
import { openProbe } from '../http/probe.ts'
import { connectAll, openReads } from '../http/reads.ts'
import { traceIdOf } from '../http/trace.ts'
import { topics } from '../messages.ts'
import { streamsTelemetry } from '../metrics.ts'
import { runService } from '../service.ts'
import { StoreClock } from '../store-clock.ts'
import { following, sending } from '../tracing/messages.ts'
import { watchStores } from '../watch.ts'
import { type Answer, answerOf, answerSchema, Desk, insertsAtOnce } from './desk.ts'
import { type Changed, stockEventHandler } from './handler.ts'
import { mountReservations, readsAtOnce } from './http.ts'
import { unconfirmedSeconds } from './outbox.ts'
import { resendUnconfirmed } from './resend.ts'
import * as store from './store.ts'

await runService('reservation', async ({ config, log, lines, metrics, tracing, stopping, signal }) => {
  const { databaseUrl, redisUrl, redisPrefix, partitions, leaseTtlMs, resendAfterMs, eventRetentionDays } =
    config
  const id = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
  // For the inserts and for resending, and as many again to replace connections that went silent (`silence.ts`).
  const hot = openPostgres(databaseUrl, { schema: 'reservation', max: 2 * (insertsAtOnce + 1), hot: true })
  const lockTimeoutMs = lockTimeoutOf(leaseTtlMs)
  const projection = openPostgres(databaseUrl, { schema: 'reservation', max: 2, hot: true, lockTimeoutMs })
  const sql = openPostgres(databaseUrl, {
    schema: 'reservation',
    max: 3,
    statementTimeoutMs: requestTimeoutMs,
  })
  const reads = openReads(databaseUrl, 'reservation', readsAtOnce)
  const probe = openProbe(databaseUrl, 'reservation')
  await checkPartitions(sql, partitions)
  const clock = await StoreClock.open(probe.sql)
  const { now } = clock
  // Connect now, so that the first requests need not wait for it.
  await Promise.all([connectAll(reads), ...Array.from({ length: insertsAtOnce }, () => hot`select`)])
  const redis = openRedis(redisUrl, id)
  const incarnation = new Incarnation({ service: 'reservation', services: serviceNames, redisPrefix, log })
  const sender = sending(
    tracing,
    topics.stockMailbox,
    new Sender({ redis, prefix: redisPrefix, topic: topics.stockMailbox, partitions, incarnation }),
  )

  const wakeup = new Wakeup<Answer>({
    redisUrl,
    redis,
    stopping,
    channel: `${redisPrefix}:reservation:changed`,
    alone: () => worker.alone,
    answer: answerSchema,
    idOf: (answer) => answer.reservationid,
    async lookup(ids) {
      const rows = await store.findMany(sql, ids)
      return rows.filter((row) => row.status !== 'Requested').map(answerOf)
    },
  })
  const desk = new Desk({
    sql,
    hot,
    sender,
    wakeup,
    partitions,
    resendAfterMs,
    now,
    log,
    lines,
    metrics,
    tracing,
  })
  const worker = new Worker({
    service: 'reservation',
    id,
    topic: topics.stockEvents,
    partitions,
    handler: stockEventHandler({ sql: projection, committed: onChanged }),
    incarnation,
    sql: projection,
    redisUrl,
    redisPrefix,
    leaseTtlMs,
    eventRetentionDays,
    log,
    telemetry: streamsTelemetry(metrics, tracing && following(tracing, 'reservation', topics.stockEvents)),
  })
  const resending = new Pulse('resend')
  const watching = new Pulse('watch-stores')
  const forgetting = new Forgetting(sql, log)
  const resent = (count: number) => metrics.resends.inc(count)

  const decidedLines = lines.of('decided')
  /** Called after the commit: wakes waiting requests, counts and logs. */
  function onChanged(changes: Changed[]): void {
    wakeup.announce(
      changes.map(({ reservationid, status, reason, updatedAt }) => ({
        reservationid,
        status,
        reason,
        updatedAt,
      })),
    )
    for (const { reservationid, bookid, status, reason, traceparent, seconds } of changes) {
      metrics.decided(status).inc()
      if (seconds !== undefined) metrics.decisionSeconds.observe(seconds)
      const waitMs = seconds === undefined ? undefined : seconds * 1_000
      decidedLines.add({ outcome: status, id: reservationid, waitMs }, () =>
        log.info({ reservationid, bookid, status, reason, traceid: traceIdOf(traceparent) }, 'decided'),
      )
    }
  }

  const app = createApp({
    service: 'reservation',
    title: 'Reservations',
    description: 'Reserve a copy of a book, follow or cancel the reservation, and search the book list.',
    log,
    metrics,
    tracing,
  })
  mountReservations({ app, sql, reads, desk, held: placesToWait(metrics), stopping })

  return {
    app,
    pulses: () => [...worker.pulses, wakeup.pulse, resending, forgetting.pulse, watching],
    ready: () => ready(probe, incarnation),
    loops: [
      worker.run(signal),
      wakeup.run(signal),
      forgetting.run(signal),
      watchStores(
        {
          sql,
          worker,
          clock,
          partitions,
          metrics,
          log,
          pulse: watching,
          own: async () => metrics.undecidedFor(await unconfirmedSeconds(sql, partitions)),
        },
        signal,
      ),
      resendUnconfirmed(
        {
          sql: hot,
          redis,
          prefix: redisPrefix,
          partitions,
          resendAfterMs,
          sender,
          maySend: () => incarnation.isCurrent,
          now,
          log,
          pulse: resending,
          resent,
        },
        signal,
      ),
    ],
    async close() {
      await wakeup[Symbol.asyncDispose]()
      redis.disconnect()
      await Promise.all([hot, projection, sql, reads, probe.sql].map(closePostgres))
    },
  }
})
