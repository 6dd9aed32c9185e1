/** Handles stock's events: decides reservations, confirms cancellations, updates the book list. */
import type { Delivery, Effects, Handler } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { parseStockEvent, type RefusalReason, type StockEvent } from '../messages.ts'
import { type Listing, listingsOf, updateCounts, upsertBooks } from './books.ts'
import { type Outcome, type Verdict, verdictsOf } from './reservation.ts'
import { applyVerdicts, type Report, report } from './store.ts'

/** A reservation that stock's events changed. */
export type Changed = {
  reservationid: string
  bookid: string
  status: Outcome | 'Canceled'
  reason: RefusalReason | null
  traceparent: string | undefined
  /** ISO 8601, by Postgres's clock. */
  updatedAt: string
  /** From accepted to decided. Undefined for a confirmed cancellation. */
  seconds: number | undefined
}

export type StockEventHandlerOptions = {
  sql: Sql
  /** Whether standings are kept (`standings.ts`). */
  limited?: boolean
  /** Called after the commit with the reservations that the events changed. */
  committed(changes: Changed[]): void
}

export function stockEventHandler({
  sql,
  limited,
  committed,
}: StockEventHandlerOptions): Handler<StockEvent> {
  return {
    parse: parseStockEvent,

    async handle(batch): Promise<Effects> {
      const events = batch.map((it) => it.message)
      // All events of a book, and so of a reservation, come from one partition.
      const partitionOf = new Map(batch.map((it) => [it.message.bookid, it.partition]))
      const verdicts = verdictsOf(events).map((it) => ({ ...it, partition: partitionOf.get(it.bookid)! }))
      const listings = listingsOf(events).map((it) => ({ ...it, partition: partitionOf.get(it.bookid)! }))
      const received = listings.filter(isReceived)
      const counted = listings.filter((it) => !isReceived(it) && it.version > 0)
      return {
        events: [],
        poison: [],
        writes: [
          verdicts.length > 0 && applyVerdicts(sql, verdicts, limited),
          received.length > 0 && upsertBooks(sql, received),
          counted.length > 0 && updateCounts(sql, counted),
        ].filter((it) => it !== false),
        ...(verdicts.length > 0 ? { results: report(sql) } : {}),
        committed: (_, results) =>
          committed((results as Report[]).flatMap((it) => changedBy(it, verdicts, batch))),
      }
    },
  }
}

function changedBy(
  { decided, seconds, at, canceled, canceled_at }: Report,
  verdicts: Verdict[],
  batch: Delivery<StockEvent>[],
): Changed[] {
  const verdictOf = new Map(verdicts.map((it) => [it.reservationid, it]))
  const traceOf = new Map<string, string | undefined>()
  for (const { message, envelope } of batch)
    if ('reservationid' in message) traceOf.set(message.reservationid, envelope.traceparent)
  const changed = (reservationid: string) => {
    const { bookid } = verdictOf.get(reservationid)!
    return { reservationid, bookid, traceparent: traceOf.get(reservationid) }
  }
  const decidedAt = new Date(at).toISOString()
  return [
    ...(decided ?? []).map((id, i) => {
      const { status, reason } = verdictOf.get(id)!
      return { ...changed(id), status: status!, reason, updatedAt: decidedAt, seconds: seconds![i]! }
    }),
    ...(canceled ?? []).map((id, i) => ({
      ...changed(id),
      status: 'Canceled' as const,
      reason: null,
      updatedAt: new Date(canceled_at![i]!).toISOString(),
      seconds: undefined,
    })),
  ]
}

const isReceived = <It extends Listing>(it: It): it is It & { about: NonNullable<Listing['about']> } =>
  it.about !== undefined
