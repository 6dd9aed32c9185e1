/**
 * A reservation, as its customer sees it:
 *
 *   Requested ──CopyReserved──▶ Reserved ──cancel──▶ Canceled
 *       │──ReservationRefused──▶ Failed (reason)
 *       └──cancel──▶ Canceled      a later outcome does not revive it
 *
 * Requests change it one by one; stock's events change it in batches. What a batch says about one reservation is first
 * drawn together into one verdict, so that one statement can apply it.
 */
import type { StockEvent } from '../messages.ts'

/** The statuses, and which can follow each. Every list of statuses below, and in SQL, derives from this. */
export const transitions = {
  Requested: ['Reserved', 'Failed', 'Canceled'],
  Reserved: ['Canceled'],
  Failed: [],
  Canceled: [],
} as const
export type Status = keyof typeof transitions
/** What stock can decide. */
export type Outcome = Exclude<(typeof transitions)['Requested'][number], 'Canceled'>

export const statuses = Object.keys(transitions) as Status[]

const leadingTo = (...targets: Status[]): Status[] =>
  statuses.filter((from) => transitions[from].some((to) => targets.includes(to)))

/** Statuses that an outcome can change. */
export const undecided = leadingTo('Reserved' satisfies Outcome, 'Failed' satisfies Outcome)
export const cancelable = leadingTo('Canceled')
/** Statuses in which stock may still owe an answer: the outcome, or the release. */
export const unanswered: Status[] = [...undecided, 'Canceled']

export const isUndecided = (status: Status): boolean => undecided.includes(status)
export const isFinal = (status: Status): boolean => transitions[status].length === 0

export type Reservation = {
  reservationid: string
  bookid: string
  userid: string
  status: Status
  reason: string | null
  created_at: Date
  updated_at: Date
}

/** What stock has said about one reservation. */
export type Verdict = {
  reservationid: string
  bookid: string
  /** The outcome of the request, if stock gave one. */
  status: Outcome | null
  reason: string | null
  /** Stock has answered the cancellation. A refusal has not: stock answers every release by itself. */
  released: boolean
}

/** @returns one verdict per reservation that the events speak of. The first outcome counts; repetitions are equal to it. */
export function verdictsOf(events: StockEvent[]): Verdict[] {
  const verdicts = new Map<string, Verdict>()
  for (const event of events) {
    if (!('reservationid' in event)) continue
    const { reservationid, bookid } = event
    const verdict = verdicts.get(reservationid) ?? blank(reservationid, bookid)
    verdicts.set(reservationid, verdict)
    // By the thousand a second: a plain switch, which the compiler checks to be exhaustive.
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
      default:
        event satisfies never
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
