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
      const details = event.place === undefined ? undefined : { turn: event.turn }
      return { ...subjectFor('reserved', event, details), reason: null }
    }
    case 'ReservationRefused':
      return { ...subjectFor('failed', event), reason: event.reason }
    case 'CopyReleased': {
      const { cause, note } = event
      return subjectFor('cancelled', event, (cause ?? note) === undefined ? undefined : { cause, note })
    }
    case 'PurchaseRequested': {
      const { shortage, waiting } = event
      const its = { bookid, userid: null, reservationid: null, reason: reasonOf(event), shortage }
      const details = waiting === undefined ? {} : { details: { type: 'purchase' as const, waiting } }
      return { kind: 'purchase-requested', ...its, ...details }
    }
    case 'ReservationQueued':
      // A repeated answer: the customer was notified that they wait when they began to, or when their copy was taken back.
      if (event.position === undefined) return undefined
      return subjectFor('queued', event, { position: event.position })
    case 'CopyShelved':
      return subjectFor('ready', event, { pickupBy: event.pickupBy, turn: event.turn })
    case 'PickupExtended':
      return subjectFor('extended', event, { pickupBy: event.pickupBy, turn: event.turn })
    case 'CopyTakenBack':
      return subjectFor('taken-back', event, { cause: event.cause, turn: event.turn })
    case 'HoldExpired':
      return subjectFor('expired', event)
    case 'CopyHandedOver':
      return subjectFor('handed-over', event)
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

const subjectFor = (
  kind: Kind,
  event: StockEvent & { userid: string; reservationid: string },
  details?: Omit<ReservationDetails, 'type'>,
): BookSubject => ({
  kind,
  bookid: event.bookid,
  userid: event.userid,
  reservationid: event.reservationid,
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
