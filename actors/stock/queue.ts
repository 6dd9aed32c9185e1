/**
 * The queue of a book: first come, first served.
 *
 * BQ1. A place is given once and never changes; the lowest place is served first.
 * BQ2. A decision that leaves a copy available also serves the queue.
 * BQ3. A newcomer is never served before those who wait: while the queue is not empty, a newcomer waits even if copies are available.
 * BQ4. One decision serves at most `servedMax`. If copies and waits remain, the book is untended, and `TendQueue` goes on.
 */
import type { StockEvent } from '../messages.ts'
import { type Book, figuresOf, moved } from './book.ts'
import type { Ready, Waiting, Whose } from './hold.ts'
import { isOriginal, type Rules } from './rules.ts'

export const servedMax = 200

/** A reservation that waits. */
export type Wait = Whose & Pick<Waiting, 'place' | 'turn'>

/** The rules of the hold shelf, and the deadline of a copy that is put there now. */
export type Shelf = { rules: Rules; pickupBy: string | null }

/** How many may wait. */
export const waitingMax = (book: Book, rules: Rules): number => {
  const { queueMax, queuePerCopy } = rules
  return queuePerCopy === null ? queueMax : Math.min(queueMax, queuePerCopy * copiesOf(book, rules))
}

/** Copies that may yet be available: those that were handed over, only if they come back. */
const copiesOf = ({ available, held, out, onOrder }: Book, { lend }: Rules): number =>
  available + held + onOrder + (lend ? out : 0)

/** Whether copies are available and reservations wait, or reservations wait for a book that will not come. */
export const isUntended = (book: Book, rules: Rules): boolean =>
  book.waiting > 0 && (book.available > 0 || isGone(book, rules))

/** Neither owned, nor ordered, nor requested. */
export const isGone = (book: Book, rules: Rules): boolean => copiesOf(book, rules) === 0 && !book.requested

/** Serves the queue, lowest place first. */
export function serve(book: Book, queue: readonly Wait[], shelf: Shelf): StockEvent[] {
  const events: StockEvent[] = []
  let now = book
  for (const wait of queue.slice(0, Math.min(book.available, servedMax))) {
    now = moved(now, { available: -1, held: 1, waiting: -1 })
    events.push(...reserved(now, wait, shelf, true))
  }
  return events
}

/**
 * A copy goes to a reservation.
 * @param book after that.
 */
export function reserved(
  book: Book,
  { reservationid, userid, place, turn = 1 }: Whose & Partial<Wait>,
  shelf: Shelf,
  waited: boolean,
): StockEvent[] {
  const again = turn > 1 ? { turn } : {}
  const event: StockEvent = {
    type: 'CopyReserved',
    ...figuresOf(book),
    reservationid,
    userid,
    ...(place === undefined ? {} : { place }),
    ...(waited ? { waited } : {}),
    ...again,
    first: true,
  }
  return shelvesAtOnce(shelf.rules)
    ? [event, shelved(book, { reservationid, userid }, again, shelf.pickupBy)]
    : [event]
}

/** Without the step of pulling copies, they are on the hold shelf as soon as they are set aside. */
const shelvesAtOnce = (rules: Rules): boolean => !rules.pullStep && !isOriginal(rules)

export const shelved = (
  book: Book,
  { reservationid, userid }: Whose,
  again: { turn?: number },
  pickupBy: Ready['pickupBy'],
): StockEvent => ({
  type: 'CopyShelved',
  ...figuresOf(book),
  reservationid,
  userid,
  pickupBy,
  ...again,
  first: true,
})

/** Refuses the first of those who wait for a book that will not come. */
export function refuseAll(book: Book, queue: readonly Wait[]): StockEvent[] {
  let now = book
  return queue.slice(0, servedMax).map(({ reservationid, userid, place }) => {
    now = moved(now, { waiting: -1 })
    return {
      type: 'ReservationRefused',
      ...figuresOf(now),
      reservationid,
      userid,
      reason: 'NotAcquired',
      place,
      first: true,
    }
  })
}
