/** The stock service: decides commands of the partitions it leases, and serves the stock manager and the purchaser. */
import { z } from 'zod'
import type { Line } from '../../platform/busy-lines.ts'
import { History } from '../../platform/history.ts'
import { placesToWait } from '../../platform/http/held.ts'
import { keyRetention } from '../../platform/http/idempotency.ts'
import { Reads } from '../../platform/http/reads.ts'
import { traceFacts } from '../../platform/http/trace.ts'
import { runService } from '../../platform/service.ts'
import { type Loop, ServiceParts } from '../../platform/service-parts.ts'
import { EventLog } from '../../streams/event-log.ts'
import { Wakeup } from '../../streams/wakeup.ts'
import { topics } from '../messages.ts'
import { backlogItems, backlogKinds, watchBacklog } from './backlog.ts'
import { Clock, tendQueue } from './clock.ts'
import { CalendarCache } from './closing-days.ts'
import { mountClosingDays } from './closing-days-http.ts'
import { CommandGateway } from './command-gateway.ts'
import { type Decided, source, stockCommandHandler } from './handler.ts'
import { forgetPage } from './history.ts'
import { mountHolds } from './holds-http.ts'
import { about, mountStock } from './http.ts'
import { mountPurchases } from './purchases-http.ts'
import * as queries from './queries.ts'
import { presets, rulesOf } from './rules.ts'
import { mountRules } from './rules-http.ts'
import { surroundingsAt } from './surroundings.ts'
import { Unclaimed } from './unclaimed.ts'

/** Concurrent reads of lists. */
const readsAtOnce = 2

await runService('stock', async (given) => {
  const { config, log, lines, metrics, signal } = given
  const { redisUrl, redisPrefix, partitions, pickupGraceMs } = config
  const parts = await ServiceParts.open(given)
  const { sql, workerSql, incarnation, now } = parts
  const reads = new Reads(await parts.openReads(readsAtOnce), readsAtOnce)
  const redis = parts.openRedis()
  const { libraryTimezone: timeZone, closingTime, closedWeekdays } = config
  const calendar = await CalendarCache.open(sql, { timeZone, closingTime, closedWeekdays })
  const defaults = rulesOf(presets[config.rulesPreset], config.rules)

  const wakeup = new Wakeup<string>({
    redisUrl,
    redis,
    // A stopping process still confirms receipts in flight, because the worker still runs.
    stopping: signal,
    channel: `${redisPrefix}:stock:handled`,
    alone: () => worker.alone,
    answer: z.uuid(),
    idOf: (commandid) => commandid,
    lookup: (ids) => queries.handled(sql, ids),
  })
  const eventLines = lines.of('events')
  const worker = parts.worker({
    topic: topics.stockMailbox,
    eventLog: new EventLog({
      sql: workerSql,
      redis,
      prefix: redisPrefix,
      topic: topics.stockEvents,
      source,
      incarnation,
    }),
    handler: stockCommandHandler({
      sql: workerSql,
      surroundings: () => surroundingsAt(now(), defaults, calendar.calendar),
      untended(bookids) {
        for (const bookid of bookids)
          sender
            .send(tendQueue(bookid, now()))
            // The clock sends it again.
            .catch((err) => log.warn({ err, bookid }, 'cannot go on with a queue yet'))
      },
      committed(commandids, decided) {
        wakeup.announce(commandids)
        if (decided.some((it) => it.event.type === 'RulesChanged')) unclaimed.wake()
        const nowMs = now().getTime()
        for (const it of decided)
          eventLines.add(lineOf(it, nowMs), () => log.info(factsOf(it), it.event.type))
      },
    }),
  })

  const app = parts.app(about)
  const sender = parts.sender(topics.stockMailbox, redis)
  const unclaimed = new Unclaimed({ sql, sender, defaults, now, log, maySend: () => incarnation.isCurrent })
  const commands = new CommandGateway({
    sql,
    send: (envelope) => sender.send(envelope),
    wakeup,
    held: placesToWait(metrics),
    now,
  })
  const http = { app, sql, reads, commands, defaults, now, audit: parts.audit }
  mountStock(http)
  mountPurchases(http)
  mountHolds(http)
  mountRules(http)
  mountClosingDays(http)
  parts.mountOperators(app, {
    reads,
    redis,
    topic: topics.stockMailbox,
    backlogKinds,
    readBacklog: (sql) => backlogItems(sql, pickupGraceMs, calendar.calendar),
  })

  const clock = new Clock({
    sql,
    redis,
    prefix: redisPrefix,
    partitions,
    sender,
    graceMs: pickupGraceMs,
    calendar,
    log,
    maySend: () => incarnation.isCurrent,
  })
  const watching = parts.watchStores(worker, () =>
    watchBacklog(sql, pickupGraceMs, calendar.calendar, metrics),
  )
  const loops: Loop[] = [worker, wakeup, clock, unclaimed, keyRetention(sql, log), watching]
  const { historyDays: days } = config
  if (days !== null)
    loops.push(new History({ days, page: (after, before) => forgetPage(sql, after, before), now, log }))
  return parts.start(app, loops, () => wakeup[Symbol.asyncDispose]())
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
    ...traceFacts(traceparent),
  }
}
