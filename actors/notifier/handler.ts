/**
 * Stock's events, understood: each batch becomes notices, written in the same commit as the offset.
 *
 * The console is told right here, and noted as told in that commit: it is the one receiver that can neither refuse nor
 * hang, so it needs no queue. What was told stays in mind until its commit is known, so that a batch that is handled again
 * tells nothing again; and nothing is told unless the lease lasts well beyond the commit, since whoever has the partition
 * next would tell it again. Only a crash, or a halt as long, between line and commit does that, under the same noticeid.
 *
 * Most events are stock's first answer and say so: nothing can be known of them, so nothing is looked for. That may be wrong
 * where a store has gone back (a consumer that reads again, a database that was restored), so whatever is read after any
 * doubt is looked for; and where another client has copied an event into the stream, which is noticed (`repetition.ts`). If
 * a notice exists all the same, Postgres refuses the batch, which is then decided from what Postgres has.
 */
import type { Delivery, Effects, Handler } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { parseStockEvent, type StockEvent } from '../messages.ts'
import type { Told } from './console.ts'
import { type Gathering, gather } from './plan/gather.ts'
import { type Plan, type PlannedNotice, planNotices, unlessOf } from './plan/plan.ts'
import { type Routing, routeOf } from './plan/routing.ts'
import { Repetition } from './repetition.ts'
import {
  leasesLast,
  planWrites,
  type Rests,
  readContacts,
  readKnown,
  type Superseded,
  supersededResults,
} from './store.ts'

export type NoticeHandlerOptions = {
  sql: Sql
  /** The worker that the batches come from, and for how much longer its leases must last while it tells: milliseconds. */
  worker: string
  leaseMarginMs: number
  routing: Routing
  /** Tells notices on the console. Must not throw. */
  tell(notices: Told[]): void
  rests: Rests
  /** Called when notices are committed. */
  noted(superseded: Superseded[]): void
}

/** How many events are looked for after any doubt: some seconds of a rush, and more than a notifier that keeps up has behind. */
export const waryEvents = 20_000

export function noticeHandler({
  sql,
  worker,
  leaseMarginMs,
  routing,
  tell,
  rests,
  noted,
}: NoticeHandlerOptions): Handler<StockEvent> {
  /** Told on the console, and not known to be committed. */
  const told = new Set<string>()
  /** For how many more events no mark of stock's is trusted. */
  let wary = waryEvents
  const repetition = new Repetition()

  /** Without somebody who buys there is nobody to gather requests for. */
  const gathers = routeOf({ kind: 'purchase-requested', userid: null }, undefined, routing).length > 0

  /** @returns those that the console had not been told before. */
  async function tellConsole(notices: PlannedNotice[], known: ReadonlySet<string>): Promise<PlannedNotice[]> {
    const due = notices.filter((it) => it.channel === 'console' && !it.superseded && !known.has(it.noticeid))
    if (due.length === 0) return due
    const partitions = [...new Set(due.map((it) => it.partition))]
    if (!(await leasesLast(sql, worker, partitions, leaseMarginMs)))
      throw new Error('Cannot tell the console: the leases are about to run out, or have')
    tell(due.filter((it) => !told.has(it.noticeid)))
    for (const notice of due) {
      notice.told = true
      told.add(notice.noticeid)
    }
    return due
  }

  return {
    parse: parseStockEvent,

    forget() {
      wary = waryEvents
    },

    async handle(batch: Delivery<StockEvent>[], fresh = false): Promise<Effects> {
      if (fresh) wary = waryEvents
      const isWary = fresh || wary > 0
      wary = Math.max(0, wary - batch.length)
      const contacts = await readContacts(sql, useridsOf(batch))
      const occurrences = batch.map((delivery) => {
        const { message, partition, envelope } = delivery
        const isNew = repetition.isNew(delivery)
        return {
          event: message,
          first: isNew && !isWary && 'first' in message && message.first === true,
          id: envelope.id,
          partition,
          traceparent: envelope.traceparent ?? null,
          occurredAt: envelope.time,
        }
      })
      const planned = planNotices(occurrences, (userid) => contacts.get(userid), routing)
      if (planned.notices.length === 0 && !(gathers && planned.orders.length > 0)) return nothing
      // Nobody else writes notices of these partitions while the fence holds, so what is known now is known in the commit.
      const sought = planned.notices.filter((it) => !it.first)
      const known = await readKnown(sql, sought.flatMap(idsOf))
      supersede(sought, known)
      const news = await tellConsole(planned.notices, known)
      const { plan, gatherings } = gathers ? gatheredOf(planned, news) : { plan: planned, gatherings: [] }
      const mayExist = fresh || plan.notices.some((it) => known.has(it.noticeid))
      return {
        writes: planWrites(sql, plan, gatherings, rests, mayExist),
        events: [],
        poison: [],
        results: supersededResults(sql, plan),
        committed(partitions, results) {
          // What was told of a partition that was lost may come again, if we get it back.
          for (const { noticeid, partition } of plan.notices)
            if (partitions.has(partition)) told.delete(noticeid)
          noted(results as Superseded[])
        },
      }
    },
  }
}

function idsOf(notice: PlannedNotice): string[] {
  const unless = unlessOf(notice)
  return unless ? [notice.noticeid, unless] : [notice.noticeid]
}

/** Those whose cancellation was told in an earlier batch. */
function supersede(notices: PlannedNotice[], known: ReadonlySet<string>): void {
  if (known.size === 0) return
  for (const notice of notices) {
    const unless = unlessOf(notice)
    if (unless && known.has(unless)) notice.superseded = true
  }
}

const nothing: Effects = { writes: [], events: [], poison: [] }

function gatheredOf(plan: Plan, news: PlannedNotice[]): { plan: Plan; gatherings: Gathering[] } {
  const { notices, gatherings } = gather(plan, new Set(news))
  return { plan: { ...plan, notices }, gatherings }
}

const useridsOf = (batch: Delivery<StockEvent>[]): string[] => [
  ...new Set(batch.flatMap(({ message }) => ('userid' in message ? [message.userid] : []))),
]
