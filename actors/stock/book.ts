/** A book's copies: where they are, and how many reservations wait for one. */
import type { BookRules, StockEvent, StockRefusalReason } from '../messages.ts'

export type Book = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  /** Set aside for reservations, on the hold shelf or not. */
  held: number
  /** Handed over. */
  out: number
  /** Reservations that wait for a copy. */
  waiting: number
  /** The highest place that was given. Places are never given again. */
  lastPlace: number
  /** Ordered, and not yet received. */
  onOrder: number
  /** Rules that replace the installation's. */
  rules: BookRules | null
  /** Increases by one with each event that changes the title, author, ISBN or counts. */
  version: number
  /** False until the first receipt. */
  received: boolean
  /** Reservations refused since copies were last ordered or arrived. */
  shortage: number
  /** Whether a purchase request is open. */
  requested: boolean
}

export const unknownBook = (bookid: string): Book => ({
  bookid,
  title: '',
  author: '',
  isbn: '',
  available: 0,
  held: 0,
  out: 0,
  waiting: 0,
  lastPlace: 0,
  onOrder: 0,
  rules: null,
  version: 0,
  received: false,
  shortage: 0,
  requested: false,
})

type Counts = Pick<Book, 'available' | 'held' | 'out' | 'waiting'>

/** The book after its counts have changed by `change`. */
export const moved = (book: Book, change: Partial<Counts>): Book => ({
  ...book,
  available: book.available + (change.available ?? 0),
  held: book.held + (change.held ?? 0),
  out: book.out + (change.out ?? 0),
  waiting: book.waiting + (change.waiting ?? 0),
  version: book.version + 1,
})

/** The book's fields in an event. */
export function figuresOf({ bookid, version, available, held, out, waiting }: Book) {
  const figures = { bookid, version, available, held }
  if (out === 0 && waiting === 0) return figures
  return { ...figures, ...(out > 0 ? { out } : {}), ...(waiting > 0 ? { waiting } : {}) }
}

const noDemand = { shortage: 0, requested: false }

export function bookAfter(book: Book, event: StockEvent): Book {
  const { version, available, held, out = 0, waiting = 0 } = event
  const counted = { ...book, version, available, held, out, waiting }
  switch (event.type) {
    case 'CopiesReceived': {
      const { title, author, isbn, qty, purchaseid } = event
      const onOrder = purchaseid ? Math.max(0, book.onOrder - qty) : book.onOrder
      const received = { ...counted, title, author, isbn, received: true, onOrder }
      return qty > 0 ? { ...received, ...noDemand } : received
    }
    case 'CopiesOrdered':
      return { ...counted, ...noDemand, onOrder: book.onOrder + event.qty }
    case 'PurchaseDeclined':
      return { ...counted, ...noDemand }
    case 'PurchaseRequested':
      return { ...counted, requested: true }
    case 'RulesChanged':
      return { ...counted, rules: event.rules }
    case 'ReservationRefused':
      if (event.place !== undefined) return withoutVainRequest(counted)
      return event.first && isShortage(event.reason) ? { ...counted, shortage: book.shortage + 1 } : counted
    case 'CopyReleased':
      return event.place === undefined ? counted : withoutVainRequest(counted)
    case 'CopyReserved':
      return event.waited ? withoutVainRequest(counted) : placed(counted, event.place)
    case 'ReservationQueued':
    case 'CopyTakenBack':
      return placed(counted, event.place)
    default:
      return counted
  }
}

const placed = (book: Book, place: number | undefined): Book =>
  place !== undefined && place > book.lastPlace ? { ...book, lastPlace: place } : book

/** Whether more reservations wait than there are copies for. */
export const lacksCopies = ({ waiting, available, onOrder }: Book): boolean => waiting > available + onOrder

/** A purchase request ends once no reservation needs its copies, and none was refused. */
const withoutVainRequest = (book: Book): Book =>
  book.requested && book.shortage === 0 && !lacksCopies(book) ? { ...book, requested: false } : book

const isShortage = (reason: StockRefusalReason) =>
  reason === 'OutOfStock' || reason === 'UnknownBook' || reason === 'QueueFull'
