/** The stock service: leases partitions of its mailboxes and serves the stock manager and the purchaser. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { EventLog } from '../../streams/event-log.ts'
import { lockTimeoutOf } from '../../streams/lease.ts'
import { closePostgres, openPostgres } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import { openRedis } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { checkPartitions } from '../../streams/setup.ts'
import { Wakeup } from '../../streams/wakeup.ts'
import { Worker } from '../../streams/worker.ts'
import { createApp } from '../http/app.ts'
import { Forgetting } from '../http/idempotency.ts'
import { traceIdOf } from '../http/trace.ts'
import { topics } from '../messages.ts'
import { streamsTelemetry } from '../metrics.ts'
import { runService } from '../service.ts'
import { following, sending } from '../tracing/messages.ts'
import { watchStores } from '../watch.ts'
import { type Decided, source, stockActors } from './actor.ts'
import { Clerk } from './clerk.ts'
import { mountStock } from './http.ts'
import { mountPurchases } from './purchases.ts'
import * as read from './read.ts'

await runService('stock', async ({ config, log, metrics, tracing, signal }) => {
  const now = () => new Date()
  const id = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
  const { databaseUrl, redisUrl, redisPrefix, leaseTtlMs, eventRetentionDays, partitions } = config
  const lockTimeoutMs = lockTimeoutOf(leaseTtlMs)
  const hot = openPostgres(databaseUrl, { schema: 'stock', max: 2, hot: true, lockTimeoutMs })
  const sql = openPostgres(databaseUrl, { schema: 'stock', max: 4 })
  await checkPartitions(sql, partitions)
  const redis = openRedis(redisUrl, id)

  const wakeup = new Wakeup<string>({
    redisUrl,
    redis,
    // A receipt under way is finished when the process is told to stop: the worker still turns.
    stopping: signal,
    channel: `${redisPrefix}:stock:handled`,
    alone: () => worker.alone,
    answer: z.uuid(),
    idOf: (commandid) => commandid,
    lookup: (ids) => read.handled(sql, ids),
  })
  const eventLog = new EventLog({ sql: hot, redis, prefix: redisPrefix, topic: topics.stockEvents, source })
  const worker = new Worker({
    service: 'stock',
    id,
    topic: topics.stockMailbox,
    partitions,
    eventLog,
    handler: stockActors({
      sql: hot,
      now,
      committed(commandids, decided) {
        wakeup.announce(commandids)
        for (const it of decided) log.info(factsOf(it), it.event.type)
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
    description: 'Copies of books: received, held for reservations, released, bought.',
    log,
    metrics,
    tracing,
  })
  const sender = sending(
    tracing,
    topics.stockMailbox,
    new Sender({ redis, prefix: redisPrefix, topic: topics.stockMailbox, partitions }),
  )
  const clerk = new Clerk({ sql, send: (envelope) => sender.send(envelope), wakeup, now })
  mountStock({ app, sql, clerk })
  mountPurchases({ app, sql, clerk })
  const forgetting = new Forgetting(sql, log)
  const watching = new Pulse('watch-stores')

  return {
    app,
    pulses: () => [...worker.pulses, wakeup.pulse, forgetting.pulse, watching],
    ready: () => sql`select 1`,
    loops: [
      worker.run(signal),
      wakeup.run(signal),
      forgetting.run(signal),
      watchStores({ sql, worker, partitions, metrics, log, pulse: watching }, signal),
    ],
    async close() {
      await wakeup[Symbol.asyncDispose]()
      redis.disconnect()
      await Promise.all([closePostgres(hot), closePostgres(sql)])
    },
  }
})

function factsOf({ event, traceparent }: Decided) {
  const { bookid, available } = event
  return {
    reservationid: 'reservationid' in event ? event.reservationid : undefined,
    bookid,
    available,
    traceid: traceparent && traceIdOf(traceparent),
  }
}
