/** The demand of a book: reservations that wait for more copies than there are. */
import type { StockEvent } from '../messages.ts'
import { type Book, bookAfter, figuresOf, lacksCopies } from './book.ts'

/** Whether more reservations wait than there are copies for, and no purchase is requested. */
export const wants = (book: Book): boolean => !book.requested && lacksCopies(book)

export const requested = (book: Book, shortage: number): StockEvent => ({
  type: 'PurchaseRequested',
  ...figuresOf(book),
  shortage,
})

/**
 * Requests a purchase for those who still wait when no copy is left to serve.
 * @param book before the events.
 */
export function withRequest(book: Book, events: StockEvent[]): StockEvent[] {
  const now = events.reduce(bookAfter, book)
  return now.available === 0 && wants(now) ? [...events, requested(now, now.shortage)] : events
}
