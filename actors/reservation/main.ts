/** The reservation service: accepts reservations at any time, and learns their outcomes from stock's events. */

import { History } from '../../platform/history.ts'
import { placesToWait } from '../../platform/http/held.ts'
import { keyRetention } from '../../platform/http/idempotency.ts'
import { Reads } from '../../platform/http/reads.ts'
import { traceFacts } from '../../platform/http/trace.ts'
import { runService } from '../../platform/service.ts'
import { type Loop, ServiceParts } from '../../platform/service-parts.ts'
import { Pulse } from '../../streams/pulse.ts'
import { Wakeup } from '../../streams/wakeup.ts'
import { topics } from '../messages.ts'
import { Acceptance, insertsAtOnce } from './acceptance.ts'
import { type Answer, answerOf, answerSchema } from './answer.ts'
import { mountBooks } from './books-http.ts'
import { type Changed, stockEventHandler } from './handler.ts'
import { forgetPage, forgetStandings } from './history.ts'
import { about, mountReservations } from './http.ts'
import { backlogKinds, readBacklog, unconfirmedSeconds } from './outbox.ts'
import { Positions } from './positions.ts'
import { mountPrivacy } from './privacy-http.ts'
import { Pruning } from './pruning.ts'
import { positionsOf } from './queue.ts'
import { resendUnconfirmed } from './resend.ts'
import { isUndecided } from './reservation.ts'
import { mountStandings } from './standings-http.ts'
import * as store from './store.ts'
import { Unanswered } from './unanswered.ts'

/** Separate limits, so that many searches do not hold up lists. */
const listsAtOnce = 2
const searchesAtOnce = 2

await runService('reservation', async (given) => {
  const { config, log, lines, metrics, tracing, stopping } = given
  const { redisUrl, redisPrefix, partitions, resendAfterMs, activeMax } = config
  const parts = await ServiceParts.open(given)
  const { sql, workerSql, incarnation, now, audit } = parts
  // For inserts and resends, and as many again to replace connections that went silent (`silence.ts`).
  const hot = parts.openSql({ max: 2 * (insertsAtOnce + 1), hot: true })
  // Connect now, so that the first requests need not wait for it.
  const connected = Array.from({ length: insertsAtOnce }, () => hot`select`)
  const [reads] = await Promise.all([parts.openReads(listsAtOnce + searchesAtOnce), ...connected])
  const redis = parts.openRedis()
  const sender = parts.sender(topics.stockMailbox, redis)

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
      return rows.filter((row) => !isUndecided(row.status)).map(answerOf)
    },
  })
  const surroundings = { log, lines, metrics, tracing }
  const pruning = activeMax > 0 ? new Pruning(hot, log) : undefined
  const acceptance = new Acceptance({
    sql,
    hot,
    sender,
    wakeup,
    partitions,
    resendAfterMs,
    activeMax,
    prune: pruning && ((userid) => pruning.prune(userid)),
    now,
    ...surroundings,
  })
  const worker = parts.worker({
    topic: topics.stockEvents,
    handler: stockEventHandler({
      sql: workerSql,
      limited: activeMax > 0,
      committed: onChanged,
      drifted: (count) => metrics.queueDrifts.inc(count),
    }),
  })

  const decidedLines = lines.of('decided')
  const movedLines = lines.of('changed')
  /** Called after the commit: answers waiting requests, counts and logs. */
  function onChanged(changes: Changed[]): void {
    wakeup.announce(changes.map(toAnswer))
    for (const { reservationid, bookid, status, reason, traceparent, seconds, decided, moved } of changes) {
      if (!decided && !moved) continue
      const its = decided ? metrics.decided(status) : metrics.moved(status)
      its.inc()
      if (seconds !== undefined) metrics.decisionSeconds.observe(seconds)
      const waitMs = seconds === undefined ? undefined : seconds * 1_000
      const series = decided ? decidedLines : movedLines
      series.add({ outcome: status, id: reservationid, waitMs }, () =>
        log.info(
          { reservationid, bookid, status, reason, ...traceFacts(traceparent) },
          decided ? 'decided' : 'changed',
        ),
      )
    }
  }

  const positions = new Positions({ read: (bookid, places) => positionsOf(sql, bookid, places) })
  const app = parts.app(about)
  const lists = new Reads(reads, listsAtOnce)
  const unanswered = new Unanswered({ sql, sender, now, log, maySend: () => incarnation.isCurrent })
  const http = {
    app,
    sql,
    lists,
    searches: new Reads(reads, searchesAtOnce),
    acceptance,
    positions,
    held: placesToWait(metrics),
    activeMax,
    eventRetentionDays: config.eventRetentionDays,
    now,
    noted: () => unanswered.wake(),
    audit,
    stopping,
  }
  mountReservations(http)
  mountBooks(http)
  mountStandings(http)
  mountPrivacy(http)
  parts.mountOperators(app, {
    reads: lists,
    redis,
    topic: topics.stockEvents,
    backlogKinds,
    readBacklog: (sql) => readBacklog(sql, partitions),
  })

  const pulse = new Pulse('resend')
  const resending: Loop = {
    pulse,
    run: (signal) =>
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
          pulse,
          resent: (count) => metrics.resends.inc(count),
        },
        signal,
      ),
  }
  const watching = parts.watchStores(worker, async () =>
    metrics.undecidedFor(await unconfirmedSeconds(sql, partitions)),
  )
  const loops: Loop[] = [worker, wakeup, resending, positions, unanswered, keyRetention(sql, log), watching]
  if (pruning) loops.push(pruning)
  const { historyDays: days } = config
  if (days !== null) {
    const page = async (after: string, before: string) => {
      const done = await forgetPage(hot, after, before, days)
      if (done.last === null) await forgetStandings(hot)
      return done
    }
    loops.push(new History({ days, page, now, log }))
  }
  return parts.start(app, loops, () => wakeup[Symbol.asyncDispose]())
})

function toAnswer({ reservationid, status, reason, other, updatedAt, pickupBy }: Changed): Answer {
  // JSON leaves out what is undefined.
  return { reservationid, status, reason, other, updatedAt, pickupBy }
}
