/**
 * A reservation, as its customer sees it:
 *
 *   Requested ──▶ Waiting ◀──▶ Reserved ──▶ Ready ──▶ Collected ──▶ Returned
 *
 * Stock answers a request: a copy is reserved for it, or it waits, or it has Failed with a reason. A copy on the hold shelf is
 * Ready until it is handed over, or its hold is Expired. A copy that is taken back leaves its reservation Waiting again.
 * Any step but the first may be left out: a book without a queue and a hold shelf has only Requested, Reserved and Failed.
 *
 * A customer can cancel until the copy is handed over. The reservation is Canceled at once, and no later event revives it,
 * except that the copy was handed over before stock heard of the cancellation.
 *
 * Requests change a reservation one by one; stock's events change it in batches. A batch's events about one reservation are
 * first merged into one verdict, so that one statement can apply them all.
 */
import type { CancellationCause, RefusalReason, StockEvent } from '../messages.ts'

/** Every status, and those that can follow it. All other lists of statuses derive from this, also in SQL. */
export const transitions = {
  Requested: ['Waiting', 'Reserved', 'Ready', 'Failed', 'Canceled'],
  Waiting: ['Reserved', 'Ready', 'Failed', 'Canceled'],
  Reserved: ['Waiting', 'Ready', 'Collected', 'Failed', 'Canceled'],
  Ready: ['Waiting', 'Collected', 'Expired', 'Failed', 'Canceled'],
  Collected: ['Returned'],
  Returned: [],
  Failed: [],
  Canceled: ['Collected'],
  Expired: [],
} as const
export type Status = keyof typeof transitions

export const statuses = Object.keys(transitions) as Status[]

export const leadingTo = (...targets: Status[]): Status[] =>
  statuses.filter((from) => (transitions[from] as readonly Status[]).some((to) => targets.includes(to)))

export type ReservationEvent = Extract<StockEvent, { reservationid: string }>
export type Moves = { readonly [From in Status]?: Status }

/**
 * The statuses that an event of stock changes. An answer that stock repeats says what is true by then, so it may take a
 * reservation further than one step. So may any event after the first answer: those before may be dead letters, which change
 * nothing when they are redriven after it. A status that stays as it is has another change.
 */
export const moves = {
  CopyReserved: { Requested: 'Reserved', Waiting: 'Reserved' },
  ReservationQueued: { Requested: 'Waiting' },
  ReservationRefused: { Requested: 'Failed', Waiting: 'Failed' },
  CopyShelved: { Requested: 'Ready', Waiting: 'Ready', Reserved: 'Ready', Ready: 'Ready' },
  PickupExtended: { Requested: 'Ready', Waiting: 'Ready', Reserved: 'Ready', Ready: 'Ready' },
  CopyTakenBack: { Requested: 'Waiting', Waiting: 'Waiting', Reserved: 'Waiting', Ready: 'Waiting' },
  CopyHandedOver: {
    Requested: 'Collected',
    Waiting: 'Collected',
    Reserved: 'Collected',
    Ready: 'Collected',
    Canceled: 'Collected',
  },
  CopyReturned: {
    Requested: 'Returned',
    Waiting: 'Returned',
    Reserved: 'Returned',
    Ready: 'Returned',
    Collected: 'Returned',
    Canceled: 'Returned',
  },
  /** Confirms a cancellation that came too late: no copy is left to release. */
  HoldExpired: {
    Requested: 'Expired',
    Waiting: 'Expired',
    Reserved: 'Expired',
    Ready: 'Expired',
    Canceled: 'Canceled',
  },
  /** Confirms a cancellation. A refusal does not, because stock answers each release separately. */
  CopyReleased: { Canceled: 'Canceled' },
} as const satisfies Record<ReservationEvent['type'], Moves>

/** The same of refusals and copies after the first answer. */
export const laterMoves = {
  /** The copy that was held is withdrawn, or the reservation leaves the queue. */
  ReservationRefused: { ...moves.ReservationRefused, Reserved: 'Failed', Ready: 'Failed' },
  /** After a copy was taken back. */
  CopyReserved: { ...moves.CopyReserved, Reserved: 'Reserved', Ready: 'Reserved' },
} as const satisfies { [Type in ReservationEvent['type']]?: Moves }

export function movesOf(event: ReservationEvent): Moves {
  switch (event.type) {
    case 'ReservationRefused':
      if (event.place === undefined && event.reason !== 'CopyWithdrawn') break
      return laterMoves.ReservationRefused
    case 'CopyReserved':
      if (event.turn === undefined) break
      return laterMoves.CopyReserved
  }
  return moves[event.type]
}

/** Stock's decision on a book that has no queue. */
export type Outcome = 'Reserved' | 'Failed'
/** Statuses that an outcome changes. */
export const open = leadingTo('Reserved' satisfies Outcome)

/** Statuses that a request can set. */
export const requestable = ['Canceled'] as const satisfies Status[]
export type Requestable = (typeof requestable)[number]

/** The command that stock may still have to answer in a status. */
export const commandIn: Partial<Record<Status, 'ReserveCopy' | 'ReleaseCopy'>> = {
  Requested: 'ReserveCopy',
  Canceled: 'ReleaseCopy',
}
export const unconfirmed = Object.keys(commandIn) as Status[]
/** Statuses in which stock has not answered the reservation. A reservation that waits has been answered. */
export const undecided = unconfirmed.filter((it) => commandIn[it] === 'ReserveCopy')
/** Statuses of reservations that wait for a copy or hold one: those that can be canceled. */
export const active = leadingTo('Canceled')

export const isUndecided = (status: Status): boolean => undecided.includes(status)
/** Whether a customer has nothing more to wait for. A copy may still be returned. */
export const isFinal = (status: Status): boolean => !active.includes(status)

/** How many wait for a book, and how many of them up to and including a reservation. */
export type Position = { position: number; waiting: number }

export type Reservation = {
  reservationid: string
  bookid: string
  userid: string
  status: Status
  reason: RefusalReason | null
  /** The customer's reservation of the same book, because of which this one failed. */
  other: string | null
  /** The number in the order of arrival. Null if the book has no queue. */
  place: number | null
  /** When the hold expires. Null if the copy is not on the hold shelf, or has no deadline. */
  pickup_by: Date | null
  /** Of the cancellation. */
  cause: CancellationCause | null
  note: string | null
  /** Of a reservation that the customer's limit refused: how many were active, and how many were allowed. */
  active: number | null
  active_max: number | null
  created_at: Date
  updated_at: Date
  /** Of a reservation that waits. Absent where it is not read. */
  queue?: Position | null
}

/**
 * A reservation as it begins. Each field is written out, here and in `answered`: copying an object by a spread costs several
 * times as much as making one.
 */
export const requested = (
  { reservationid, bookid, userid }: Pick<Reservation, 'reservationid' | 'bookid' | 'userid'>,
  at: Date,
): Reservation => ({
  reservationid,
  bookid,
  userid,
  status: 'Requested',
  reason: null,
  other: null,
  place: null,
  pickup_by: null,
  cause: null,
  note: null,
  active: null,
  active_max: null,
  created_at: at,
  updated_at: at,
})

/** The fields that a customer sends. Without a copy a reservation waits, unless `wait` is false. `overLimit` is for staff. */
export type NewReservation = Pick<Reservation, 'bookid' | 'userid'> & {
  wait?: boolean | undefined
  overLimit?: boolean | undefined
}

/** Why a reservation is canceled. */
export type Cancellation = { cause?: CancellationCause | undefined; note?: string | undefined }
