/** The notice that follows from an event of stock: its kind, and what it says. Pure. */
import type { StockEvent } from '../../messages.ts'
import type { Kind, ReservationDetails, Subject } from './notice.ts'
import { remindAt } from './reminder.ts'

export type BookSubject = Subject & { bookid: string }

/**
 * Events come by the thousand per second, so this is a plain switch, which the compiler checks to be exhaustive.
 * @returns undefined for events that concern only the library itself.
 */
export function subjectOf(event: StockEvent): BookSubject | undefined {
  const { bookid } = event
  switch (event.type) {
    case 'CopyReserved': {
      const subject = { kind: 'reserved' as const, ...reservationOf(event), reason: null, shortage: null }
      return event.place === undefined
        ? subject
        : { ...subject, details: { type: 'reservation', turn: event.turn } }
    }
    case 'ReservationRefused':
      return { kind: 'failed', ...reservationOf(event), reason: event.reason, shortage: null }
    case 'CopyReleased': {
      const { cause, note } = event
      const subject = {
        kind: 'cancelled' as const,
        ...reservationOf(event),
        reason: reasonOf(event),
        shortage: null,
      }
      return (cause ?? note) === undefined
        ? subject
        : { ...subject, details: { type: 'reservation', cause, note } }
    }
    case 'PurchaseRequested': {
      const { shortage, waiting } = event
      const reason = reasonOf(event)
      const subject = {
        kind: 'purchase-requested' as const,
        bookid,
        userid: null,
        reservationid: null,
        reason,
        shortage,
      }
      return waiting === undefined ? subject : { ...subject, details: { type: 'purchase', waiting } }
    }
    case 'ReservationQueued':
      // A repeated answer: the customer was notified that they wait when they began to, or when their copy was taken back.
      if (event.position === undefined) return undefined
      return withDetails('queued', event, { position: event.position })
    case 'CopyShelved':
      return withDetails('ready', event, { pickupBy: event.pickupBy, turn: event.turn })
    case 'PickupExtended':
      return withDetails('extended', event, { pickupBy: event.pickupBy, turn: event.turn })
    case 'CopyTakenBack':
      return withDetails('taken-back', event, { cause: event.cause, turn: event.turn })
    case 'HoldExpired':
      return withDetails('expired', event)
    case 'CopyHandedOver':
      return withDetails('handed-over', event)
    case 'CopyReturned':
    case 'CopiesReceived':
    case 'CopiesOrdered':
    case 'PurchaseDeclined':
    case 'CopiesWithdrawn':
    case 'RulesChanged':
    case 'CommandRefused':
      return undefined
  }
}

/** A book's version rises with its first receipt. At 0 stock has never had it, and its id is only what a client wrote. */
const reasonOf = ({ version }: StockEvent) => (version === 0 ? ('UnknownBook' as const) : null)

type OfReservation = { bookid: string; userid: string; reservationid: string }

const reservationOf = (it: OfReservation) => ({
  bookid: it.bookid,
  userid: it.userid,
  reservationid: it.reservationid,
})

const withDetails = (
  kind: Kind,
  event: StockEvent & OfReservation,
  details?: Omit<ReservationDetails, 'type'>,
): BookSubject => ({
  kind,
  ...reservationOf(event),
  reason: reasonOf(event),
  shortage: null,
  ...(details && { details: { type: 'reservation', ...details } }),
})

/** @returns the reminder of a deadline that the event sets, if the customer needs one. */
export function reminderOf(
  event: StockEvent,
  subject: BookSubject,
  occurredAt: string | undefined,
  timeZone: string,
): BookSubject | undefined {
  if (event.type !== 'CopyShelved' && event.type !== 'PickupExtended') return undefined
  const { pickupBy, turn } = event
  const at = pickupBy === null ? undefined : remindAt(pickupBy, occurredAt, timeZone)
  if (at === undefined) return undefined
  return { ...subject, kind: 'reminder', details: { type: 'reservation', pickupBy, turn, remindAt: at } }
}
