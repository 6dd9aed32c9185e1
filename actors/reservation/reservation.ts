/**
 * A reservation, as its customer sees it:
 *
 *   Requested ──CopyReserved──▶ Reserved ──cancel──▶ Canceled
 *       │──ReservationRefused──▶ Failed (reason)
 *       └──cancel──▶ Canceled      a later outcome does not revive it
 *
 * Requests change it one by one; stock's events change it in batches. A batch's events about one reservation are first
 * merged into one verdict, so that one statement can apply them all.
 */
import type { RefusalReason, StockEvent } from '../messages.ts'

/** Every status, and those that can follow it. All other lists of statuses derive from this, also in SQL. */
export const transitions = {
  Requested: ['Reserved', 'Failed', 'Canceled'],
  Reserved: ['Canceled'],
  Failed: [],
  Canceled: [],
} as const
export type Status = keyof typeof transitions
/** Stock's decision. */
export type Outcome = Exclude<(typeof transitions)['Requested'][number], 'Canceled'>

export const statuses = Object.keys(transitions) as Status[]

export const leadingTo = (...targets: Status[]): Status[] =>
  statuses.filter((from) => transitions[from].some((to) => targets.includes(to)))

/** Statuses that an outcome changes. */
export const undecided = leadingTo('Reserved' satisfies Outcome, 'Failed' satisfies Outcome)

/** Statuses that a request can set. */
export const requestable = ['Canceled'] as const satisfies Status[]
export type Requestable = (typeof requestable)[number]

/** The command that stock may still have to answer in a status. */
export const commandIn: Partial<Record<Status, 'ReserveCopy' | 'ReleaseCopy'>> = {
  Requested: 'ReserveCopy',
  Canceled: 'ReleaseCopy',
}
export const unconfirmed = Object.keys(commandIn) as Status[]

export const isUndecided = (status: Status): boolean => undecided.includes(status)
export const isFinal = (status: Status): boolean => transitions[status].length === 0

export type Reservation = {
  reservationid: string
  bookid: string
  userid: string
  status: Status
  reason: RefusalReason | null
  /** Of a reservation that the customer's limit refused: how many were active, and how many were allowed. */
  active: number | null
  active_max: number | null
  created_at: Date
  updated_at: Date
}

/** The fields that a customer sends, and `overLimit`, which is for staff. */
export type NewReservation = Pick<Reservation, 'bookid' | 'userid'> & { overLimit?: boolean | undefined }

/** Stock's answers to one reservation. */
export type Verdict = {
  reservationid: string
  bookid: string
  status: Outcome | null
  reason: RefusalReason | null
  /** Whether stock answered the release. A refusal does not count, because stock answers each release separately. */
  released: boolean
}

/** @returns one verdict per reservation in the events. Repeated outcomes are equal, so the first one counts. */
export function verdictsOf(events: StockEvent[]): Verdict[] {
  const verdicts = new Map<string, Verdict>()
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
        verdict.status = 'Failed'
        verdict.reason = event.reason
        break
      case 'CopyReleased':
        verdict.released = true
        break
      // Nothing emits the other events yet: they belong to books with rules.
    }
  }
  return [...verdicts.values()]
}

const blank = (reservationid: string, bookid: string): Verdict => ({
  reservationid,
  bookid,
  status: null,
  reason: null,
  released: false,
})
