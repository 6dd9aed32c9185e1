/** Decides what customers ask for: to reserve a copy, and to release it. */
import type { StockCommand, StockEvent, StockRefusalReason } from '../messages.ts'
import { type Book, figuresOf, moved } from './book.ts'
import { requested, wants } from './demand.ts'
import { again, type Hold } from './hold.ts'
import { isGone, reserved, serve, waitingMax } from './queue.ts'
import { isOriginal } from './rules.ts'
import type { StockState } from './state.ts'

type Reserve = Extract<StockCommand, { type: 'ReserveCopy' }>
type Release = Extract<StockCommand, { type: 'ReleaseCopy' }>

/** Marks the first answer of its type to a reservation: consumers need not look for an earlier one. */
const first = { first: true } as const

const whose = ({ reservationid, userid }: Reserve | Release) => ({ reservationid, userid })

export function reserve(message: Reserve, state: StockState): StockEvent[] {
  const { book, hold, rules, twin, shelf } = state
  if (hold) return [repeated(message, hold, book)]
  if (twin) {
    const reason = twin.status === 'collected' ? 'AlreadyHas' : 'AlreadyReserved'
    return [{ ...refusal(message, book, reason), other: twin.reservationid, ...first }]
  }
  const queued = rules.queueMax > 0 ? { place: book.lastPlace + 1 } : {}
  if (book.available > 0 && book.waiting === 0) {
    const now = moved(book, { available: -1, held: 1 })
    if (isOriginal(rules)) return [{ type: 'CopyReserved', ...figuresOf(now), ...whose(message), ...first }]
    return reserved(now, { ...whose(message), ...queued }, shelf, false)
  }
  // The purchase is declined, and those who wait are being refused.
  if (book.waiting > 0 && isGone(book, rules)) return [{ ...refusal(message, book, 'NotAcquired'), ...first }]
  const mayWait = rules.queueMax > 0 && message.wait !== false && (book.received || book.onOrder > 0)
  if (mayWait && book.waiting < waitingMax(book, rules)) return queue(message, book)
  // Without any copy none may wait, but that is no full queue.
  const isFull = mayWait && book.waiting > 0
  const reason = isFull ? 'QueueFull' : book.received ? 'OutOfStock' : 'UnknownBook'
  const refused: StockEvent = { ...refusal(message, book, reason), ...first }
  return book.requested ? [refused] : [refused, requested(book, book.shortage + 1)]
}

function queue(message: Reserve, book: Book): StockEvent[] {
  const now = moved(book, { waiting: 1 })
  const queued: StockEvent = {
    type: 'ReservationQueued',
    ...figuresOf(now),
    ...whose(message),
    place: book.lastPlace + 1,
    position: now.waiting,
    ...first,
  }
  return wants(now) ? [queued, requested(now, now.shortage)] : [queued]
}

const refusal = (message: Reserve, book: Book, reason: StockRefusalReason) =>
  ({ type: 'ReservationRefused', ...figuresOf(book), ...whose(message), reason }) as const

export function release(message: Release, state: StockState): StockEvent[] {
  const { book, hold, queue, shelf } = state
  const { note } = message
  const released = (now: Book, place?: number, cause = message.cause): StockEvent => ({
    type: 'CopyReleased',
    ...figuresOf(now),
    ...whose(message),
    ...(place === undefined ? {} : { place }),
    ...(cause === undefined ? {} : { cause }),
    ...(note === undefined ? {} : { note }),
    ...first,
  })
  switch (hold?.status) {
    case 'held':
    case 'ready': {
      const now = moved(book, { available: 1, held: -1 })
      // The cause marks the end of a copy on the hold shelf, of which the customer may yet be reminded.
      const event = released(
        now,
        undefined,
        hold.status === 'ready' ? (message.cause ?? 'Customer') : message.cause,
      )
      return now.waiting > 0 ? [event, ...serve(now, queue, shelf)] : [event]
    }
    case 'waiting':
      return [released(moved(book, { waiting: -1 }), hold.place)]
    case 'refused':
    case undefined:
      return [released(book)]
    case 'released':
    // The cancellation came too late.
    case 'expired':
    case 'collected':
    case 'returned':
      return [repeated(message, hold, book)]
  }
}

/** Repeats what is true of the reservation, with the book's current counts. */
function repeated(message: Reserve | Release, hold: Hold, book: Book): StockEvent {
  const event = { ...figuresOf(book), ...whose(message) }
  switch (hold.status) {
    case 'held': {
      const { place } = hold
      return { type: 'CopyReserved', ...event, ...(place === undefined ? {} : { place }), ...again(hold) }
    }
    case 'waiting':
      return { type: 'ReservationQueued', ...event, place: hold.place }
    case 'ready':
      return { type: 'CopyShelved', ...event, pickupBy: hold.pickupBy, ...again(hold) }
    case 'refused':
      return { type: 'ReservationRefused', ...event, reason: hold.reason }
    case 'released':
      return { type: 'CopyReleased', ...event }
    case 'collected':
      return { type: 'CopyHandedOver', ...event }
    case 'returned':
      return { type: 'CopyReturned', ...event }
    case 'expired':
      return { type: 'HoldExpired', ...event }
  }
}
