/**
 * The memory that stock keeps of a reservation, for good:
 *
 *   waiting ──▶ held ──▶ ready ──▶ collected ──▶ returned
 *      ▲         │         │
 *      └─────────┴─────────┤ the copy is taken back
 *                          └──▶ expired
 *   waiting, held, ready ──▶ refused, released
 *
 * `place` and `turn` are those of a book with a queue.
 */
import type { StockEvent, StockRefusalReason } from '../messages.ts'

/** In the queue. `turn` is the number of the copy that it waits for, `lapsesAt` when the wait ends, if it does. */
export type Waiting = { status: 'waiting'; place: number; turn: number; lapsesAt: string | null }
/** A copy is set aside. */
export type Held = { status: 'held'; place?: number; turn?: number }
/** The copy is on the hold shelf. */
export type Ready = { status: 'ready'; place?: number; turn?: number; pickupBy: string | null }

export type Hold =
  | Waiting
  | Held
  | Ready
  | { status: 'collected' }
  | { status: 'returned' }
  | { status: 'expired' }
  | { status: 'refused'; reason: StockRefusalReason }
  | { status: 'released' }

export type Whose = { reservationid: string; userid: string }
type EventOfReservation = Extract<StockEvent, Whose>

/**
 * @param lapsesAt of a wait that begins.
 * @returns the hold after an event of its reservation; the same object if the event repeats an answer.
 */
export function holdAfter(hold: Hold | undefined, event: EventOfReservation, lapsesAt: string | null): Hold {
  if (isRepeat(event)) return hold!
  switch (event.type) {
    case 'CopyReserved':
      if (event.place === undefined) return { status: 'held' }
      return { status: 'held', place: event.place, turn: event.turn ?? 1 }
    case 'ReservationQueued':
      return { status: 'waiting', place: event.place, turn: 1, lapsesAt }
    case 'CopyTakenBack':
      return { status: 'waiting', place: event.place, turn: event.turn, lapsesAt }
    case 'CopyShelved': {
      const { place, turn } = hold as Held
      const queued = place === undefined ? {} : { place, turn: turn! }
      return { status: 'ready', ...queued, pickupBy: event.pickupBy }
    }
    case 'PickupExtended':
      return { ...(hold as Ready), pickupBy: event.pickupBy }
    case 'CopyHandedOver':
      return { status: 'collected' }
    case 'CopyReturned':
      return { status: 'returned' }
    case 'HoldExpired':
      return { status: 'expired' }
    case 'ReservationRefused':
      return { status: 'refused', reason: event.reason }
    case 'CopyReleased':
      return { status: 'released' }
  }
}

const isRepeat = (event: EventOfReservation) =>
  event.type !== 'PickupExtended' && event.type !== 'CopyTakenBack' && !event.first

/** Whether a copy is set aside. */
export const isHeld = (hold: Hold | undefined): hold is Held | Ready =>
  hold?.status === 'held' || hold?.status === 'ready'

/** Without a copy and without a place in the queue. A copy that was handed over and comes back has a claim. */
export const over = [
  'refused',
  'released',
  'expired',
  'returned',
  'collected',
] as const satisfies Hold['status'][]
export const isOver = ({ status }: Hold): boolean => over.some((it) => it === status)

/** The turn, from the second on. */
export const again = ({ turn }: { turn?: number }): { turn?: number } =>
  turn === undefined || turn === 1 ? {} : { turn }
