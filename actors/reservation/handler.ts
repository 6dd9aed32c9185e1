/** Handles stock's events: changes reservations, confirms cancellations, updates queues and the book list. */
import { sequenceOf } from '../../streams/entry.ts'
import type { Delivery, Effects, Handler } from '../../streams/handler.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { parseStockEvent, type RefusalReason, type StockEvent } from '../messages.ts'
import { type Listing, listingsOf, updateCounts, upsertBooks } from './books.ts'
import { applyVerdicts, heardOf, type Move, reportMoves } from './composed.ts'
import { applySteps, reportDrift, stepsOf } from './queue.ts'
import type { Status } from './reservation.ts'
import { applyShortVerdicts, type Report, report } from './store.ts'
import { isPlain, type ShortVerdict, shortVerdictsOf, verdictsOf } from './verdict.ts'

/** A reservation that stock's events changed. */
export type Changed = {
  reservationid: string
  bookid: string
  status: Status
  reason: RefusalReason | null
  /** The customer's reservation of the same book, because of which this one failed. Undefined where there is none. */
  other?: string | undefined
  traceparent: string | undefined
  /** ISO 8601, by Postgres's clock. */
  updatedAt: string
  /** From accepted to decided. Undefined if the reservation was decided before. */
  seconds: number | undefined
  /** Whether this is stock's first answer to the reservation, or its answer to the cancellation. */
  decided: boolean
  /** Whether the status is another than before. */
  moved: boolean
  /** ISO 8601. Undefined if the book may have no hold shelf. */
  pickupBy?: string | null
}

type StockEventHandlerOptions = {
  sql: Sql
  /** Whether standings are kept (`standings.ts`). */
  limited?: boolean
  /** Called after the commit with the reservations that the events changed. */
  committed(changes: Changed[]): void
  /** Called with the number of queues whose tally was wrong. */
  drifted?(count: number): void
  /** By a clock that is never set. */
  nowMs?(): number
}

/** A queue of 100,000 takes long to count. If counting does not help, an event is missing, and may be a dead letter. */
const recountAfterMs = 60_000

type Reported = Report | { moves: Move[] | null } | { drifted: string[] | null }

export function stockEventHandler(options: StockEventHandlerOptions): Handler<StockEvent> {
  const { sql, limited, nowMs = () => performance.now() } = options
  /** Books whose queue must be counted again, and when. Another owner of their partition finds out by itself. */
  const wrong = new Map<string, number>()
  return {
    parse: parseStockEvent,

    async handle(all, afterRefusal): Promise<Effects> {
      const redriven = all.some((it) => it.redriven)
      const batch = redriven ? await withoutOld(all) : all
      const events = batch.map((it) => it.message)
      // All events of a book, and so of a reservation, come from one partition.
      const partitionOf = new Map(batch.map((it) => [it.message.bookid, it.partition]))
      const owned = <Item extends { bookid: string }>(it: Item) => ({
        ...it,
        partition: partitionOf.get(it.bookid)!,
      })
      const plain = events.every(isPlain)
      const short = plain ? shortVerdictsOf(events).map(owned) : []
      const composed = plain ? [] : verdictsOf(events).map((it) => ({ ...owned(it), heard: 0 }))
      noteHeard(composed, batch)
      const queue = plain ? nobodyWaits : stepsOf(events)
      // An old event does not say how many wait now.
      const lengths = redriven ? [] : queue.lengths
      const recounted = lengths.filter(({ bookid }) => (wrong.get(bookid) ?? Infinity) <= nowMs())
      const listings = listingsOf(events).map(owned)
      const received = listings.filter(isReceived)
      const counted = listings.filter((it) => !isReceived(it) && it.version > 0)
      return {
        events: [],
        poison: [],
        writes: [
          short.length > 0 && applyShortVerdicts(sql, short, limited),
          composed.length > 0 && applyVerdicts(sql, composed, limited),
          queue.steps.length > 0 &&
            applySteps(sql, queue.steps.map(owned), lengths.map(owned), recounted.map(owned)),
          received.length > 0 && upsertBooks(sql, received),
          counted.length > 0 && updateCounts(sql, counted),
        ].filter((it) => it !== false),
        ...resultsOf(
          short.length > 0 && report(sql),
          composed.length > 0 && reportMoves(sql),
          queue.steps.length > 0 && reportDrift(sql),
        ),
        committed(_, results) {
          // An event that was a dead letter may have come after later ones.
          if (afterRefusal) for (const { bookid } of queue.lengths) wrong.set(bookid, nowMs())
          const changes: Changed[] = []
          for (const it of results as Reported[]) {
            if ('moves' in it) changes.push(...movedBy(it.moves ?? [], batch))
            else if ('drifted' in it) noteDrift(it.drifted ?? [], recounted)
            else changes.push(...changedBy(it, short, batch))
          }
          options.committed(changes)
        },
      }
    },
  }

  /** Leaves out dead letters that were followed by events of their reservation: these have said what is true now. */
  async function withoutOld(batch: Delivery<StockEvent>[]): Promise<Delivery<StockEvent>[]> {
    const heard = await heardOf(
      sql,
      batch.flatMap(({ message }) => ('reservationid' in message ? [message.reservationid] : [])),
    )
    return batch.filter(({ redriven, position, message }) => {
      if (!redriven || !('reservationid' in message)) return true
      return sequenceOf(position) > (heard.get(message.reservationid) ?? 0)
    })
  }

  function noteDrift(bookids: string[], recounted: { bookid: string }[]): void {
    for (const { bookid } of recounted) wrong.delete(bookid)
    const inVain = new Set(recounted.map((it) => it.bookid))
    for (const bookid of bookids)
      if (!wrong.has(bookid)) wrong.set(bookid, nowMs() + (inVain.has(bookid) ? recountAfterMs : 0))
    if (bookids.length > 0) options.drifted?.(bookids.length)
  }

  function resultsOf(...reports: (Fragment | false)[]): Pick<Effects, 'results'> {
    const [first, second] = reports.filter((it) => it !== false)
    if (!first) return {}
    return { results: second ? sql`${first} union all ${second}` : first }
  }
}

/** Sets the sequence number of the last event of each reservation. */
function noteHeard(
  verdicts: { reservationid: string; heard: number }[],
  batch: Delivery<StockEvent>[],
): void {
  if (verdicts.length === 0) return
  const heard = new Map<string, number>()
  for (const { message, position } of batch)
    if ('reservationid' in message) heard.set(message.reservationid, sequenceOf(position))
  for (const verdict of verdicts) verdict.heard = heard.get(verdict.reservationid)!
}

const nobodyWaits: ReturnType<typeof stepsOf> = { steps: [], lengths: [] }

function changedBy(
  { decided, seconds, at, canceled, canceled_at }: Report,
  verdicts: ShortVerdict[],
  batch: Delivery<StockEvent>[],
): Changed[] {
  const verdictOf = new Map(verdicts.map((it) => [it.reservationid, it]))
  const traceOf = tracesOf(batch)
  const changed = (reservationid: string) => {
    const { bookid } = verdictOf.get(reservationid)!
    return { reservationid, bookid, traceparent: traceOf.get(reservationid), decided: true, moved: true }
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

function movedBy(moves: Move[], batch: Delivery<StockEvent>[]): Changed[] {
  const bookOf = new Map<string, string>()
  for (const { message } of batch)
    if ('reservationid' in message) bookOf.set(message.reservationid, message.bookid)
  const traceOf = tracesOf(batch)
  return moves.map(({ reservationid, was, status, reason, other, pickup_by, updated_at, seconds }) => {
    const moved = was !== status
    const released = was === 'Canceled' && !moved
    return {
      reservationid,
      bookid: bookOf.get(reservationid)!,
      status,
      reason,
      other: other ?? undefined,
      traceparent: traceOf.get(reservationid),
      updatedAt: new Date(updated_at).toISOString(),
      seconds: was === 'Requested' ? seconds : undefined,
      decided: was === 'Requested' || released,
      moved,
      pickupBy: pickup_by && new Date(pickup_by).toISOString(),
    }
  })
}

/** Of each reservation, the trace of its last event. */
function tracesOf(batch: Delivery<StockEvent>[]): Map<string, string | undefined> {
  const traceOf = new Map<string, string | undefined>()
  for (const { message, envelope } of batch)
    if ('reservationid' in message) traceOf.set(message.reservationid, envelope.traceparent)
  return traceOf
}

const isReceived = <It extends Listing>(it: It): it is It & { about: NonNullable<Listing['about']> } =>
  it.about !== undefined
