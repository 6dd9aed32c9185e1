/**
 * Verdicts: what stock's events of one batch change about a reservation.
 *
 * A verdict is a function from the status that a reservation has to the one that it gets, because only Postgres knows the
 * status when the verdict is applied: the customer may cancel at any time. Each event is such a function
 * (`moves` in `reservation.ts`), and the events of a batch are composed in their order.
 *
 * A batch in which every event is plain has short verdicts: nearly all events are plain, and thousands arrive per second.
 */
import type { RefusalReason, StockEvent } from '../messages.ts'
import { movesOf, type Outcome, type ReservationEvent, type Status, statuses } from './reservation.ts'

/** A new status, with the columns that change with it. Columns that are absent keep their values. */
type Becoming = {
  status: Status
  reason?: RefusalReason
  /** The customer's other reservation of the book. */
  other?: string
  place?: number
  pickup_by?: string | null
}

export type Verdict = {
  reservationid: string
  bookid: string
  /** Statuses that are not named stay as they are. */
  becomes: { readonly [From in Status]?: Becoming }
}

/** A verdict on a reservation of a book without a queue: the same function, in columns. */
export type ShortVerdict = {
  reservationid: string
  bookid: string
  status: Outcome | null
  reason: RefusalReason | null
  /** Whether stock answered the release. */
  released: boolean
}

/** @returns one verdict per reservation in the events. */
export function verdictsOf(events: StockEvent[]): Verdict[] {
  const verdicts = new Map<string, Verdict>()
  for (const event of events) {
    if (!('reservationid' in event)) continue
    const { reservationid, bookid } = event
    const becomes = followedBy(verdicts.get(reservationid)?.becomes ?? {}, event)
    verdicts.set(reservationid, { reservationid, bookid, becomes })
  }
  return [...verdicts.values()]
}

function followedBy(becomes: Verdict['becomes'], event: ReservationEvent): Verdict['becomes'] {
  const its = movesOf(event)
  const columns = columnsOf(event)
  const composed: { [From in Status]?: Becoming } = { ...becomes }
  for (const from of statuses) {
    const status = its[becomes[from]?.status ?? from]
    if (status) composed[from] = { ...becomes[from], ...columns, status }
  }
  return composed
}

function columnsOf(event: ReservationEvent): Omit<Becoming, 'status'> {
  switch (event.type) {
    case 'ReservationQueued':
    case 'CopyTakenBack':
      return { place: event.place }
    case 'CopyReserved':
      return event.place === undefined ? {} : { place: event.place }
    case 'CopyShelved':
    case 'PickupExtended':
      return { pickup_by: event.pickupBy }
    case 'ReservationRefused':
      return event.other === undefined
        ? { reason: event.reason }
        : { reason: event.reason, other: event.other }
    case 'CopyHandedOver':
    case 'CopyReturned':
    case 'HoldExpired':
    case 'CopyReleased':
      return {}
  }
}

/** Whether the event is one that a book without a queue has: a short verdict can express it, and no queue changes. */
export function isPlain(event: StockEvent): boolean {
  switch (event.type) {
    case 'CopyReserved':
    case 'CopyReleased':
      return event.place === undefined
    case 'ReservationRefused':
      return event.place === undefined && event.other === undefined && event.reason !== 'CopyWithdrawn'
    default:
      return !('reservationid' in event)
  }
}

/**
 * @param events plain ones.
 * @returns one verdict per reservation in the events. Repeated outcomes are equal, so the first one counts.
 */
export function shortVerdictsOf(events: StockEvent[]): ShortVerdict[] {
  const verdicts = new Map<string, ShortVerdict>()
  for (const event of events) {
    if (!('reservationid' in event)) continue
    const { reservationid, bookid } = event
    const verdict = verdicts.get(reservationid) ?? blank(reservationid, bookid)
    verdicts.set(reservationid, verdict)
    // A plain switch, because thousands of events arrive per second.
    switch (event.type) {
      case 'CopyReserved':
        verdict.status ??= 'Reserved'
        break
      case 'ReservationRefused':
        if (verdict.status !== null) break
        verdict.status = 'Failed'
        verdict.reason = event.reason
        break
      case 'CopyReleased':
        verdict.released = true
        break
    }
  }
  return [...verdicts.values()]
}

const blank = (reservationid: string, bookid: string): ShortVerdict => ({
  reservationid,
  bookid,
  status: null,
  reason: null,
  released: false,
})
