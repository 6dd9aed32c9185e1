/**
 * The stock of one book, told in plain words:
 *
 * - Copies that arrive are available. A reservation takes one available copy and holds it; a release gives it back.
 * - A reservation is decided once. When it is asked about again, the same answer is given again and nothing changes.
 * - A release may overtake its reservation. It is remembered, so that the late reservation takes no copy.
 * - Who was refused holds nothing to give back. Her release only means that she no longer waits for the answer: it ends
 *   her reservation as any other release does. She stays in the shortage, for she did ask for a copy that was not there.
 * - Nobody gets a copy that is not there. The refusal names its reason, and the purchaser is asked to buy: once, until
 *   copies are ordered or arrive; those refused meanwhile raise the request's shortage.
 */
import type { Behavior } from '../behavior.ts'
import type { StockCommand, StockEvent } from '../messages.ts'

export type Book = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  held: number
  /** Rises by one with every event that changes the fields above. */
  version: number
  /** False until the first receipt. */
  received: boolean
  /** How many were refused since copies were last ordered or arrived. */
  shortage: number
  /** Whether the purchaser was asked to buy and has not done so. */
  requested: boolean
}

/** What is remembered of a reservation. */
export type Hold = { status: 'held' } | { status: 'refused'; reason: RefusalReason } | { status: 'released' }

export type RefusalReason = Extract<StockEvent, { type: 'ReservationRefused' }>['reason']

/** A book, and what is remembered of the one thing that a message names. */
export type StockState = {
  book: Book
  /** Of the reservation that the message names. */
  hold: Hold | undefined
  /** Whether the command that the message names had its effect before. */
  handled: boolean
}

type Reserve = Extract<StockCommand, { type: 'ReserveCopy' }>
type Release = Extract<StockCommand, { type: 'ReleaseCopy' }>
type Receive = Extract<StockCommand, { type: 'ReceiveCopies' }>
type Order = Extract<StockCommand, { type: 'OrderCopies' }>

export const unknownBook = (bookid: string): Book => ({
  bookid,
  title: '',
  author: '',
  isbn: '',
  available: 0,
  held: 0,
  version: 0,
  received: false,
  shortage: 0,
  requested: false,
})

/** Messages come by the thousand a second: plain switches, which the compiler checks to be exhaustive. */
export const stock: Behavior<StockState, StockCommand, StockEvent> = {
  initial: (bookid) => ({ book: unknownBook(bookid), hold: undefined, handled: false }),
  decide(message, { book, hold, handled }) {
    switch (message.type) {
      case 'ReceiveCopies':
        return handled ? [] : receive(message, book)
      case 'OrderCopies':
        return handled ? [] : order(message, book)
      case 'ReserveCopy':
        return hold ? [answer(message, hold, book)] : reserve(message, book)
      case 'ReleaseCopy':
        return [release(message, hold, book)]
    }
  },
  evolve({ book, hold, handled }, event) {
    const counted = { ...book, version: event.version, available: event.available, held: event.held }
    switch (event.type) {
      case 'CopiesReceived': {
        const { title, author, isbn, qty } = event
        const wanted = qty > 0 ? nothingWanted : {}
        return { book: { ...counted, title, author, isbn, received: true, ...wanted }, hold, handled: true }
      }
      case 'CopiesOrdered':
        return { book: { ...counted, ...nothingWanted }, hold, handled: true }
      case 'CopyReserved':
        return { book: counted, hold: { status: 'held' }, handled }
      case 'CopyReleased':
        return { book: counted, hold: { status: 'released' }, handled }
      case 'ReservationRefused':
        return {
          book: hold ? counted : { ...counted, shortage: book.shortage + 1 },
          hold: { status: 'refused', reason: event.reason },
          handled,
        }
      case 'PurchaseRequested':
        return { book: { ...counted, requested: true }, hold, handled }
    }
  },
}

const nothingWanted = { shortage: 0, requested: false }

/** The book as it stands after nothing more than these changes. */
const after = (book: Book, change: { available?: number; held?: number } = {}) => ({
  bookid: book.bookid,
  version: book.version,
  available: book.available + (change.available ?? 0),
  held: book.held + (change.held ?? 0),
})

const changed = (book: Book, change: { available?: number; held?: number } = {}) => ({
  ...after(book, change),
  version: book.version + 1,
})

/** Says that the answer is the first of its kind for this reservation: what follows from it cannot be there yet. */
const first = { first: true } as const

const who = ({ reservationid, userid }: Reserve | Release) => ({ reservationid, userid })

function receive({ qty, title, author, isbn, purchaseid }: Receive, book: Book): StockEvent[] {
  return [
    {
      type: 'CopiesReceived',
      ...changed(book, { available: qty }),
      qty,
      title: title ?? book.title,
      author: author ?? book.author,
      isbn: isbn ?? book.isbn,
      ...(purchaseid ? { purchaseid } : {}),
    },
  ]
}

const order = ({ purchaseid, qty }: Order, book: Book): StockEvent[] => [
  { type: 'CopiesOrdered', ...after(book), purchaseid, qty },
]

function reserve(message: Reserve, book: Book): StockEvent[] {
  if (book.available > 0) {
    return [{ type: 'CopyReserved', ...changed(book, { available: -1, held: 1 }), ...who(message), ...first }]
  }
  const refused: StockEvent = {
    type: 'ReservationRefused',
    ...after(book),
    ...who(message),
    reason: book.received ? 'OutOfStock' : 'UnknownBook',
    ...first,
  }
  if (book.requested) return [refused]
  return [refused, { type: 'PurchaseRequested', ...after(book), shortage: book.shortage + 1 }]
}

function release(message: Release, hold: Hold | undefined, book: Book): StockEvent {
  switch (hold?.status) {
    case 'held':
      return {
        type: 'CopyReleased',
        ...changed(book, { available: 1, held: -1 }),
        ...who(message),
        ...first,
      }
    case 'refused':
    case undefined:
      return { type: 'CopyReleased', ...after(book), ...who(message), ...first }
    case 'released':
      return { type: 'CopyReleased', ...after(book), ...who(message) }
  }
}

/** Says again what was decided, with the book's present figures. */
function answer(message: Reserve, hold: Hold, book: Book): StockEvent {
  switch (hold.status) {
    case 'held':
      return { type: 'CopyReserved', ...after(book), ...who(message) }
    case 'refused':
      return { type: 'ReservationRefused', ...after(book), ...who(message), reason: hold.reason }
    case 'released':
      return { type: 'CopyReleased', ...after(book), ...who(message) }
  }
}
