/** The demand of a book: reservations that wait for more copies than there are. */
import type { StockEvent } from '../messages.ts'
import { type Book, figuresOf } from './book.ts'

/** Whether more reservations wait than there are copies for, and no purchase is requested. */
export const wants = ({ requested, waiting, available, onOrder }: Book): boolean =>
  !requested && waiting > available + onOrder

export const requested = (book: Book, shortage: number): StockEvent => ({
  type: 'PurchaseRequested',
  ...figuresOf(book),
  shortage,
})
