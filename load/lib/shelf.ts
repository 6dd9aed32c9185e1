/** The books of a run: received before it, and held to account when it is over. */
import { sleep } from 'k6'
import { forgotten, oversold } from './figures.ts'
import { settings } from './settings.ts'
import { findStock, listReservations, receive } from './system.ts'

export type Shelf = { books: string[]; copies: number }

/** How long a reservation may still be without an outcome: one that was lost on its way is sent again. */
const decidedMaxS = 30
/** Audited one by one, these are enough; of more books, a sample is. */
const auditedBooksMax = 50
const listedMax = 20_000

/** Receives `copies` of each of so many new books. */
export function stockShelf(books: number, copies: number): Shelf {
  // Made once, in setup: virtual users are handed the names.
  const prefix = `${settings.run}-${Date.now().toString(36)}`
  const shelf = { books: Array.from({ length: books }, (_, number) => `${prefix}-${number}`), copies }
  receive(shelf.books, copies)
  return shelf
}

/** Each book equally often, in an order that no cache foresees. */
export const anyOf = ({ books }: Shelf): string => books[Math.floor(Math.random() * books.length)]!

/**
 * Holds reservations against stock. A copy is either on the shelf or held for exactly one reservation, so whatever is
 * held or reserved beyond the copies was promised twice, and whatever is missing was lost.
 */
export function auditShelf({ books, copies }: Shelf): void {
  const step = Math.ceil(books.length / auditedBooksMax)
  for (const bookid of books.filter((_, index) => index % step === 0)) {
    forgotten.add(untilDecided(bookid))
    const stock = findStock(bookid)
    if (!stock) continue
    const held = listReservations(bookid, 'Reserved', listedMax).length
    oversold.add(Math.max(0, held - copies))
    oversold.add(Math.abs(copies - stock.qty - stock.held))
    if (held < listedMax) oversold.add(Math.abs(held - stock.held))
  }
}

/** @returns how many reservations have no outcome when the patience is over. */
function untilDecided(bookid: string): number {
  for (let waited = 0; ; waited++) {
    const open = listReservations(bookid, 'Requested', listedMax).length
    if (open === 0 || waited === decidedMaxS) return open
    sleep(1)
  }
}
