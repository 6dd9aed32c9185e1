/** The books of a run: received before it, and audited after it. */
import { sleep } from 'k6'
import { forgotten, oversold, unaudited } from './figures.ts'
import { settings } from './settings.ts'
import { countReservations, findStock, receive } from './system.ts'

export type Shelf = { books: string[]; copies: number }

/** How long reservations and stock may differ after the load: lost messages are sent again. */
const decidedMaxS = 30
/** If there are more books, a sample of this size is audited. */
const auditedBooksMax = 50
/** Reservations of one book. `spike` makes 30,000 of its first; a book with more than this counts as unaudited. */
export const listedMax = 200_000

/** Receives `copies` of each of `books` new books. */
export function stockShelf(books: number, copies: number): Shelf {
  // Runs once, in setup. Virtual users get the names.
  const prefix = `${settings.run}-${Date.now().toString(36)}`
  const shelf = { books: Array.from({ length: books }, (_, number) => `${prefix}-${number}`), copies }
  receive(shelf.books, copies)
  return shelf
}

/** Each book equally often, in random order. */
export const anyOf = ({ books }: Shelf): string => books[Math.floor(Math.random() * books.length)]!

/** Compares a book with its reservations. */
type Comparison = (bookid: string, copies: number) => Difference

export const auditShelf = (shelf: Shelf): void => audit(shelf, compare)

/** Compares until all agree or the time is over; only the last comparison counts. */
export function audit({ books, copies }: Shelf, compare: Comparison): void {
  const step = Math.ceil(books.length / auditedBooksMax)
  let differing = books.filter((_, index) => index % step === 0)
  for (let waitedS = 0; waitedS < decidedMaxS; waitedS++) {
    differing = differing.filter((bookid) => !agrees(compare(bookid, copies)))
    if (differing.length === 0) return
    sleep(1)
  }
  for (const bookid of differing) {
    const difference = compare(bookid, copies)
    forgotten.add(difference.forgotten)
    oversold.add(difference.oversold)
    unaudited.add(difference.unaudited)
  }
}

export type Difference = { forgotten: number; oversold: number; unaudited: number }

const agrees = ({ forgotten, oversold, unaudited }: Difference) => forgotten + oversold + unaudited === 0

/**
 * A copy is either available or held for exactly one reservation. So if more are held or reserved than there are copies, some
 * were promised twice, and if fewer, some were lost. Right after the load they differ, because a reservation is canceled before
 * stock has its copy back.
 */
function compare(bookid: string, copies: number): Difference {
  const requested = countReservations(bookid, 'Requested', listedMax)
  const reserved = countReservations(bookid, 'Reserved', listedMax)
  const stock = findStock(bookid)
  if (requested === undefined || reserved === undefined || !stock)
    return { forgotten: 0, oversold: 0, unaudited: 1 }
  const beyond = Math.max(0, reserved - copies)
  const astray = Math.abs(copies - stock.qty - stock.held)
  return { forgotten: requested, oversold: beyond + astray + Math.abs(reserved - stock.held), unaudited: 0 }
}
