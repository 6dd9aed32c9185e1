/** The stock service: decides commands of the partitions it leases, and serves the stock manager and the purchaser. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { EventLog } from '../../streams/event-log.ts'
import { Incarnation } from '../../streams/incarnation.ts'
import { lockTimeoutOf } from '../../streams/lease.ts'
import { closePostgres, openPostgres, requestTimeoutMs } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import { openRedis } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { checkPartitions } from '../../streams/setup.ts'
import { Wakeup } from '../../streams/wakeup.ts'
import { Worker } from '../../streams/worker.ts'
import type { Line } from '../busy-lines.ts'
import { serviceNames } from '../config.ts'
import { createApp } from '../http/app.ts'
import { ready } from '../http/health.ts'
import { placesToWait } from '../http/held.ts'
import { Forgetting } from '../http/idempotency.ts'
import { openProbe } from '../http/probe.ts'
import { connectAll, openReads, Reads } from '../http/reads.ts'
import { traceIdOf } from '../http/trace.ts'
import { topics } from '../messages.ts'
import { streamsTelemetry } from '../metrics.ts'
import { runService } from '../service.ts'
import { StoreClock } from '../store-clock.ts'
import { following, sending } from '../tracing/messages.ts'
import { watchStores } from '../watch.ts'
import { Desk } from './desk.ts'
import { type Decided, source, stockCommandHandler } from './handler.ts'
import { mountStock } from './http.ts'
import { mountPurchases } from './purchases-http.ts'
import * as queries from './queries.ts'

/** Lists that are read at a time. */
const readsAtOnce = 2

await runService('stock', async ({ config, log, lines, metrics, tracing, signal }) => {
  const id = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
  const { databaseUrl, redisUrl, redisPrefix, leaseTtlMs, eventRetentionDays, partitions } = config
  const lockTimeoutMs = lockTimeoutOf(leaseTtlMs)
  const hot = openPostgres(databaseUrl, { schema: 'stock', max: 2, hot: true, lockTimeoutMs })
  const sql = openPostgres(databaseUrl, { schema: 'stock', max: 3, statementTimeoutMs: requestTimeoutMs })
  const reads = openReads(databaseUrl, 'stock', readsAtOnce)
  const probe = openProbe(databaseUrl, 'stock')
  await checkPartitions(sql, partitions)
  const clock = await StoreClock.open(probe.sql)
  await connectAll(reads)
  const redis = openRedis(redisUrl, id)

  const wakeup = new Wakeup<string>({
    redisUrl,
    redis,
    // Requests in flight are finished when the process stops: until then the worker still runs.
    stopping: signal,
    channel: `${redisPrefix}:stock:handled`,
    alone: () => worker.alone,
    answer: z.uuid(),
    idOf: (commandid) => commandid,
    lookup: (ids) => queries.handled(sql, ids),
  })
  const incarnation = new Incarnation({ service: 'stock', services: serviceNames, redisPrefix, log })
  const eventLog = new EventLog({
    sql: hot,
    redis,
    prefix: redisPrefix,
    topic: topics.stockEvents,
    source,
    incarnation,
  })
  const eventLines = lines.of('events')
  const worker = new Worker({
    service: 'stock',
    id,
    topic: topics.stockMailbox,
    partitions,
    eventLog,
    incarnation,
    handler: stockCommandHandler({
      sql: hot,
      committed(commandids, decided) {
        wakeup.announce(commandids)
        const now = clock.now().getTime()
        for (const it of decided) eventLines.add(lineOf(it, now), () => log.info(factsOf(it), it.event.type))
      },
    }),
    sql: hot,
    redisUrl,
    redisPrefix,
    leaseTtlMs,
    eventRetentionDays,
    log,
    telemetry: streamsTelemetry(metrics, tracing && following(tracing, 'stock', topics.stockMailbox)),
  })

  const app = createApp({
    service: 'stock',
    title: 'Stock',
    description: 'Receive copies of books, see stock and its movements, and order copies that are missing.',
    log,
    metrics,
    tracing,
  })
  const sender = sending(
    tracing,
    topics.stockMailbox,
    new Sender({ redis, prefix: redisPrefix, topic: topics.stockMailbox, partitions, incarnation }),
  )
  const desk = new Desk({
    sql,
    send: (envelope) => sender.send(envelope),
    wakeup,
    held: placesToWait(metrics),
    now: clock.now,
  })
  const face = { app, sql, reads: new Reads(reads, readsAtOnce), desk }
  mountStock(face)
  mountPurchases(face)
  const forgetting = new Forgetting(sql, log)
  const watching = new Pulse('watch-stores')

  return {
    app,
    pulses: () => [...worker.pulses, wakeup.pulse, forgetting.pulse, watching],
    ready: () => ready(probe, incarnation),
    loops: [
      worker.run(signal),
      wakeup.run(signal),
      forgetting.run(signal),
      watchStores({ sql, worker, clock, partitions, metrics, log, pulse: watching }, signal),
    ],
    async close() {
      await wakeup[Symbol.asyncDispose]()
      redis.disconnect()
      await Promise.all([hot, sql, reads, probe.sql].map(closePostgres))
    },
  }
})

function lineOf({ event, sentAt }: Decided, now: number): Line {
  return {
    outcome: event.type,
    id: 'reservationid' in event ? event.reservationid : event.bookid,
    waitMs: now - Date.parse(sentAt),
  }
}

function factsOf({ event, traceparent }: Decided) {
  const { bookid, available } = event
  return {
    reservationid: 'reservationid' in event ? event.reservationid : undefined,
    bookid,
    available,
    traceid: traceIdOf(traceparent),
  }
}
