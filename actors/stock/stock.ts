/**
 * The stock of one book:
 *
 * - Copies that arrive are available. A reservation holds one available copy; a release makes it available again.
 * - A reservation is decided once. A repeated command gets the same answer and changes nothing.
 * - A release may arrive before its reservation. It is remembered, and the late reservation holds no copy.
 * - A reservation is refused, with a reason, when no copy is available. The first refusal requests a purchase; later ones
 *   add to its shortage, until copies are ordered or arrive.
 * - A refused reservation holds no copy. Releasing it just closes it; the shortage still counts it, because the demand was
 *   real.
 */
import type { Behavior } from '../behavior.ts'
import type { StockCommand, StockEvent, StockRefusalReason } from '../messages.ts'

export type Book = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  held: number
  /** Increases by one with each event that changes the fields above. */
  version: number
  /** False until the first receipt. */
  received: boolean
  /** Reservations refused since copies were last ordered or arrived. */
  shortage: number
  /** Whether a purchase request is open. */
  requested: boolean
}

/** The decision on a reservation. */
export type Hold =
  | { status: 'held' }
  | { status: 'refused'; reason: StockRefusalReason }
  | { status: 'released' }

/** A book, and the state of the reservation or command that a message names. */
export type StockState = {
  book: Book
  hold: Hold | undefined
  /** Whether the command has already taken effect. */
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

/** Plain switches, because thousands of messages arrive per second; the compiler checks that they are exhaustive. */
export const stock: Behavior<StockState, StockCommand, StockEvent> = {
  initial: (bookid) => ({ book: unknownBook(bookid), hold: undefined, handled: false }),
  decide(message, { book, hold, handled }) {
    switch (message.type) {
      case 'ReceiveCopies':
        return handled ? [] : receive(message, book)
      case 'OrderCopies':
        return handled ? [] : order(message, book)
      case 'ReserveCopy':
        return hold ? [repeated(message, hold, book)] : reserve(message, book)
      case 'ReleaseCopy':
        return [release(message, hold, book)]
    }
  },
  evolve({ book, hold, handled }, event) {
    const counted = { ...book, version: event.version, available: event.available, held: event.held }
    switch (event.type) {
      case 'CopiesReceived': {
        const { title, author, isbn, qty } = event
        const demand = qty > 0 ? noDemand : {}
        return { book: { ...counted, title, author, isbn, received: true, ...demand }, hold, handled: true }
      }
      case 'CopiesOrdered':
        return { book: { ...counted, ...noDemand }, hold, handled: true }
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
      // Nothing decides the other events yet: they belong to books with rules.
      default:
        return { book: counted, hold, handled }
    }
  },
}

const noDemand = { shortage: 0, requested: false }

/** The book's fields in an event that leaves its version alone. */
const after = (book: Book, change: { available?: number; held?: number } = {}) => ({
  bookid: book.bookid,
  version: book.version,
  available: book.available + (change.available ?? 0),
  held: book.held + (change.held ?? 0),
})

/** The book's fields in an event that raises its version. */
const changed = (book: Book, change: { available?: number; held?: number } = {}) => ({
  ...after(book, change),
  version: book.version + 1,
})

/** Marks the first answer of its type to a reservation: consumers need not look for an earlier one. */
const first = { first: true } as const

const whose = ({ reservationid, userid }: Reserve | Release) => ({ reservationid, userid })

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
    return [
      { type: 'CopyReserved', ...changed(book, { available: -1, held: 1 }), ...whose(message), ...first },
    ]
  }
  const refused: StockEvent = {
    type: 'ReservationRefused',
    ...after(book),
    ...whose(message),
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
        ...whose(message),
        ...first,
      }
    case 'refused':
    case undefined:
      return { type: 'CopyReleased', ...after(book), ...whose(message), ...first }
    case 'released':
      return { type: 'CopyReleased', ...after(book), ...whose(message) }
  }
}

/** Repeats the decision, with the book's current counts. */
function repeated(message: Reserve, hold: Hold, book: Book): StockEvent {
  switch (hold.status) {
    case 'held':
      return { type: 'CopyReserved', ...after(book), ...whose(message) }
    case 'refused':
      return { type: 'ReservationRefused', ...after(book), ...whose(message), reason: hold.reason }
    case 'released':
      return { type: 'CopyReleased', ...after(book), ...whose(message) }
  }
}
