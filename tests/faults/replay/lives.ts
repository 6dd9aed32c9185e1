/** The life of a reservation, as the log must show it. An independent copy of the rules, without the services' code. */
import type { StockEvent, StockRefusalReason } from '../../../actors/messages.ts'

/** The statuses of stock's holds. */
export type State =
  | 'waiting'
  | 'held'
  | 'ready'
  | 'collected'
  | 'returned'
  | 'refused'
  | 'released'
  | 'expired'

export type Life = {
  bookid: string
  userid: string
  state: State
  reason?: StockRefusalReason | undefined
  /** Whether its book had rules at its last step. Stock has a claim for it only then. */
  ruled: boolean
  /** In the queue of a book with one. */
  place?: number | undefined
  /** How often a copy was set aside for it, the current wait included. */
  turn: number
  pickupBy?: string | null | undefined
  /** How many notices of each kind follow from its events. */
  notices: Map<string, number>
  /** Of the newest of them. */
  kind?: string | undefined
}

export type EventOfLife = Extract<StockEvent, { reservationid: string }>

type Step = {
  to: State
  /** Undefined: stock has not heard of it. */
  from: readonly (State | undefined)[]
  /** Of the notice. */
  kind?: string
  /** As `from`, for a book without rules. */
  plain?: readonly (State | undefined)[]
}

const active = ['waiting', 'held', 'ready'] as const

export const steps: Record<EventOfLife['type'], Step> = {
  CopyReserved: { to: 'held', from: [undefined, 'waiting'], kind: 'reserved', plain: [undefined] },
  ReservationQueued: { to: 'waiting', from: [undefined], kind: 'queued' },
  CopyShelved: { to: 'ready', from: ['held'], kind: 'ready' },
  PickupExtended: { to: 'ready', from: ['ready'], kind: 'extended' },
  CopyHandedOver: { to: 'collected', from: ['held', 'ready'], kind: 'handed-over' },
  CopyReturned: { to: 'returned', from: ['collected'] },
  HoldExpired: { to: 'expired', from: ['ready'], kind: 'expired' },
  CopyTakenBack: { to: 'waiting', from: ['held', 'ready'], kind: 'taken-back' },
  ReservationRefused: { to: 'refused', from: [undefined, ...active], kind: 'failed', plain: [undefined] },
  CopyReleased: {
    to: 'released',
    from: [undefined, ...active, 'refused'],
    kind: 'cancelled',
    plain: [undefined, 'held', 'refused'],
  },
}

export const isOfLife = (event: StockEvent): event is EventOfLife => event.type in steps

/** Whether the event repeats an answer that stock has given before. */
export const isRepeat = (life: Life | undefined, { type }: EventOfLife): boolean =>
  life?.state === steps[type].to && !steps[type].from.includes(life.state) && type !== 'CopyTakenBack'

export const isActive = ({ state }: Life): boolean => active.some((it) => it === state)

/** The counts of its book that a reservation adds to. */
export type Counts = { held: number; out: number; waiting: number }

export const countsOf = (state: State | undefined): Counts => ({
  held: state === 'held' || state === 'ready' ? 1 : 0,
  out: state === 'collected' ? 1 : 0,
  waiting: state === 'waiting' ? 1 : 0,
})

/** @returns the life after an event that is allowed. @param ruled whether the book has rules. */
export function lifeAfter(life: Life | undefined, event: EventOfLife, ruled: boolean): Life {
  const { bookid, userid } = event
  const { to, kind } = steps[event.type]
  const now: Life = life ?? { bookid, userid, state: to, ruled, turn: 1, notices: new Map() }
  if (kind) now.notices.set(kind, (now.notices.get(kind) ?? 0) + 1)
  return {
    ...now,
    state: to,
    ruled,
    kind: kind ?? now.kind,
    place: 'place' in event ? (event.place ?? now.place) : now.place,
    turn: event.type === 'CopyTakenBack' ? now.turn + 1 : now.turn,
    pickupBy: 'pickupBy' in event ? event.pickupBy : now.pickupBy,
    reason: 'reason' in event ? event.reason : undefined,
  }
}
