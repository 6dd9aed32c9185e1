/**
 * Handles stock's events: each batch becomes notices, written in the same commit as the offset.
 *
 * Notices for the console are printed here and recorded as sent in that commit (`console.ts`). The console is the one receiver
 * that can neither refuse nor hang, so it needs no queue.
 *
 * Most events are marked as stock's first answer. No notice of these exists, so none is looked up. The mark may be wrong after
 * a store has gone back (a consumer that reads again, a database that was restored), so after any doubt every notice is looked
 * up for a while. It may also be wrong when another client copied an event into the stream, which `repetition.ts` notices. If a
 * notice exists all the same, Postgres refuses the batch, and the batch is decided again with every lookup.
 */
import type { Delivery, Effects, Handler } from '../../streams/handler.ts'
import { parseStockEvent, type StockEvent } from '../messages.ts'
import { receivedBooks, rememberBooks } from './books.ts'
import { PrintOnce, type PrintOnceOptions } from './console.ts'
import { type Gathering, gather, keyOf } from './plan/gather.ts'
import { type Plan, type PlannedNotice, planNotices } from './plan/plan.ts'
import { type Routing, routeOf } from './plan/routing.ts'
import { allSupersededBy, isPickup, pickupKeyOf, supersededBy } from './plan/supersession.ts'
import { Repetition } from './repetition.ts'
import {
  type Delays,
  planWrites,
  readContacts,
  readExisting,
  readNewerPickups,
  type Superseded,
  supersededResults,
} from './store.ts'

export type NoticeHandlerOptions = PrintOnceOptions & {
  routing: Routing
  delays: Delays
  /** Called when notices are committed. */
  onCommitted(superseded: Superseded[]): void
}

/** How many events are looked up after any doubt: some seconds of a rush, and more than the usual lag. */
export const lookupEvents = 20_000

export function noticeHandler(options: NoticeHandlerOptions): Handler<StockEvent> {
  const { sql, routing, delays, onCommitted } = options
  const printer = new PrintOnce(options)
  /** For how many more events stock's mark is not trusted. */
  let lookupsLeft = lookupEvents
  const repetition = new Repetition()

  /** Without a purchaser to notify, requests are not gathered. */
  const gathers = routeOf({ kind: 'purchase-requested', userid: null }, undefined, routing).length > 0

  /** A dead letter that is redriven withdraws no later notice of a deadline, and adds none beside it. */
  async function leaveNewerPickups(plan: Plan, occurredAt: string): Promise<void> {
    const dated = plan.notices.filter((it) => it.kind === 'ready' || isPickup(it.kind))
    const ids = [...plan.pickups, ...dated].map((it) => it.reservationid!)
    const newer = await readNewerPickups(sql, ids.map(pickupKeyOf), occurredAt)
    plan.pickups = plan.pickups.filter((it) => !newer.has(it.reservationid))
    for (const it of dated) if (newer.has(it.reservationid!)) it.superseded = true
  }

  return {
    parse: parseStockEvent,

    forget() {
      lookupsLeft = lookupEvents
    },

    async handle(batch: Delivery<StockEvent>[], afterRefusal = false): Promise<Effects> {
      if (afterRefusal) lookupsLeft = lookupEvents
      const looksUp = afterRefusal || lookupsLeft > 0
      lookupsLeft = Math.max(0, lookupsLeft - batch.length)
      const contacts = await readContacts(sql, useridsOf(batch))
      const occurrences = batch.map((delivery) => {
        const { message, partition, envelope } = delivery
        const isNew = repetition.isNew(delivery)
        return {
          event: message,
          first: isNew && !looksUp && 'first' in message && message.first === true,
          id: envelope.id,
          partition,
          traceparent: envelope.traceparent ?? null,
          occurredAt: envelope.time,
        }
      })
      const books = receivedBooks(batch)
      const described = books.length > 0 ? [rememberBooks(sql, books)] : []
      const planned = planNotices(occurrences, (userid) => contacts.get(userid), routing)
      if (planned.notices.length === 0 && !(gathers && planned.orders.length > 0))
        return { ...nothing, writes: described }
      // While the fence holds, no other worker writes notices of these partitions, so this is still true in the commit.
      const lookedUp = planned.notices.filter((it) => !it.first)
      const isOld = batch.some((it) => it.redriven)
      const provenBy = isOld ? allSupersededBy : cancellationOf
      const existing = await readExisting(
        sql,
        lookedUp.flatMap((it) => [it.noticeid, ...provenBy(it)]),
      )
      supersede(lookedUp, existing, provenBy)
      planned.pickups = planned.pickups.filter((it) => !existing.has(it.noticeid))
      if (isOld) await leaveNewerPickups(planned, occurrences[0]!.occurredAt)
      const printed = await printer.print(planned.notices, existing)
      const { plan, gatherings } = gathers
        ? gatheredOf(planned, printed)
        : { plan: withoutQueues(planned), gatherings: [] }
      const mayExist = afterRefusal || plan.notices.some((it) => existing.has(it.noticeid))
      return {
        writes: [...planWrites(sql, plan, gatherings, delays, mayExist), ...described],
        events: [],
        poison: [],
        results: supersededResults(sql, plan),
        committed(partitions, results) {
          printer.forget(plan.notices, partitions)
          onCommitted(results as Superseded[])
        },
      }
    },
  }
}

function cancellationOf(notice: PlannedNotice): string[] {
  const cancellation = supersededBy(notice)
  return cancellation ? [cancellation] : []
}

/**
 * Supersedes outcomes whose cancellation was in an earlier batch.
 * @param provenBy returns the notices that supersede one: of a dead letter that is redriven, any later event may be known.
 */
function supersede(
  notices: PlannedNotice[],
  existing: ReadonlySet<string>,
  provenBy: (notice: PlannedNotice) => string[],
): void {
  if (existing.size === 0) return
  for (const notice of notices) if (provenBy(notice).some((it) => existing.has(it))) notice.superseded = true
}

const nothing: Effects = { writes: [], events: [], poison: [] }

function gatheredOf(plan: Plan, printed: PlannedNotice[]): { plan: Plan; gatherings: Gathering[] } {
  const { notices, gatherings } = gather(plan, new Set(printed))
  // Requests that are gathered after a queue was empty make the unsent one true again.
  const gathered = new Set(gatherings.map((it) => it.key))
  const orders = plan.orders.filter((it) => !it.ofQueue || !gathered.has(keyOf(it.bookid)))
  return { plan: { ...plan, notices, orders }, gatherings }
}

/** Without gathering, no request is found by its book. */
const withoutQueues = (plan: Plan): Plan => ({ ...plan, orders: plan.orders.filter((it) => !it.ofQueue) })

const useridsOf = (batch: Delivery<StockEvent>[]): string[] => [
  ...new Set(batch.flatMap(({ message }) => ('userid' in message ? [message.userid] : []))),
]
