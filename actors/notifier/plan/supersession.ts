/** Which notice follows from each event of stock, and which earlier notices of its reservation or book it makes untrue. */
import type { StockEvent } from '../../messages.ts'
import { type Kind, reservationNoticeId, type Subject } from './notice.ts'

type Effect = { kind: Kind | null; supersedes: readonly Kind[] }

export const effects = {
  ReservationQueued: { kind: 'queued', supersedes: [] },
  CopyReserved: { kind: 'reserved', supersedes: ['queued', 'taken-back'] },
  CopyShelved: { kind: 'ready', supersedes: ['queued', 'reserved', 'taken-back'] },
  PickupExtended: { kind: 'extended', supersedes: ['reminder', 'extended'] },
  CopyHandedOver: {
    kind: 'handed-over',
    supersedes: ['queued', 'reserved', 'ready', 'reminder', 'extended', 'taken-back'],
  },
  CopyReturned: { kind: null, supersedes: [] },
  HoldExpired: { kind: 'expired', supersedes: ['ready', 'reminder', 'extended'] },
  CopyTakenBack: { kind: 'taken-back', supersedes: ['reserved', 'ready', 'reminder', 'extended'] },
  ReservationRefused: {
    kind: 'failed',
    supersedes: ['queued', 'reserved', 'ready', 'reminder', 'extended', 'taken-back'],
  },
  CopyReleased: {
    kind: 'cancelled',
    supersedes: ['reserved', 'failed', 'queued', 'ready', 'reminder', 'extended', 'taken-back'],
  },
  PurchaseRequested: { kind: 'purchase-requested', supersedes: [] },
  CopiesOrdered: { kind: null, supersedes: ['purchase-requested'] },
  PurchaseDeclined: { kind: null, supersedes: ['purchase-requested'] },
  CopiesReceived: { kind: null, supersedes: [] },
  CopiesWithdrawn: { kind: null, supersedes: [] },
  RulesChanged: { kind: null, supersedes: [] },
  CommandRefused: { kind: null, supersedes: [] },
} as const satisfies Record<StockEvent['type'], Effect>

/** The outcomes of books without rules, which a cancellation withdraws. */
export const outcomes = ['reserved', 'failed'] as const

const cancelable: ReadonlySet<Kind> = new Set(effects.CopyReleased.supersedes)
export const isCancelable = (kind: Kind): boolean => cancelable.has(kind)

/** May come again after a copy was taken back. */
export const hasTurns = (kind: Kind): boolean =>
  kind === 'reserved' || kind === 'ready' || kind === 'reminder' || kind === 'taken-back'

/** About a deadline. Later events find these by the reservation, because they cannot know their ids. */
export const isPickup = (kind: Kind): boolean => kind === 'reminder' || kind === 'extended'

/** Identifies the reservation's notices about its deadline in the queue. */
export const pickupKeyOf = (reservationid: string): string => `pickup/${reservationid}`

/**
 * Whether the event may follow others of its reservation, because its book has rules. Of a book without rules only a
 * cancellation does, and there are thousands of them per second.
 */
export function isFollowUp(event: StockEvent): boolean {
  switch (event.type) {
    case 'CopyReserved':
      return event.place !== undefined
    case 'ReservationRefused':
      return event.place !== undefined || (event.reason !== 'OutOfStock' && event.reason !== 'UnknownBook')
    case 'CopyReleased':
      return (event.place ?? event.cause ?? event.note) !== undefined
    default:
      return effects[event.type].supersedes.length > 0
  }
}

/** Whether the last reservation that waited for the book no longer does. */
export function leavesQueueEmpty(event: StockEvent): boolean {
  switch (event.type) {
    case 'CopyReserved':
      return event.waited === true && event.waiting === undefined
    case 'CopyReleased':
    case 'ReservationRefused':
      return event.place !== undefined && event.waiting === undefined
    default:
      return false
  }
}

/** How often the reservation has been served. */
export const turnOf = ({ details }: Subject): number =>
  details?.type === 'reservation' ? (details.turn ?? 1) : 1

/** Distinguishes the notices of one kind and reservation from the second turn on. */
export const occasionOf = (turn: number): string | undefined => (turn > 1 ? String(turn) : undefined)

/** @returns the notice of the cancellation that supersedes this one if it exists, if any can. */
export const supersededBy = ({ kind, reservationid }: Subject): string | null =>
  isCancelable(kind) ? reservationNoticeId(reservationid!, 'cancelled', 'console') : null

/**
 * Every event is printed on the console, so that notice proves the event. Extensions are left out, because they find what they
 * supersede in the queue.
 * @returns the notices that supersede this one, each if it exists.
 */
export const allSupersededBy = (notice: Subject): string[] =>
  (Object.values(effects) as Effect[])
    .filter((it) => it.supersedes.includes(notice.kind) && it.kind !== null && it.kind !== 'extended')
    .map(({ kind }) => {
      const turn = turnOf(notice) + (kind === 'taken-back' ? 1 : 0)
      const occasion = hasTurns(kind!) ? occasionOf(turn) : undefined
      return reservationNoticeId(notice.reservationid!, kind!, 'console', occasion)
    })

/**
 * Whether a notice that is still queued may have been superseded all the same. Events that end a reservation do not say of which
 * turn it was, and a cancellation does not say that the copy was on the hold shelf. None withdraws an outcome that was given
 * up, and an operator may retry that.
 */
export const mayBeUntrue = (notice: Subject & { retried: boolean }): boolean =>
  isCancelable(notice.kind) &&
  (notice.retried || turnOf(notice) > 1 || !outcomes.some((it) => it === notice.kind))
