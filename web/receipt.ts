/** Receipts: the book that was scanned, the order that its copies belong to, and the reservations that are next. */
import type { Apis } from './apis/apis.ts'
import type { Answer } from './apis/call.ts'
import type { Book } from './apis/reservation.ts'
import { type Facts, factsOf, type Movement, type Purchase, type Receipt, type Stock } from './apis/stock.ts'
import { isId } from './ids.ts'
import { isbnOf } from './isbn.ts'

/** Of one scan or line. More is a slip of the finger. */
export const copiesMax = 9_999

export type Found =
  | { type: 'known'; stock: Stock }
  /** Several books have this ISBN. */
  | { type: 'several'; books: Book[] }
  /** A book that the library never had. Its number is its ISBN, if it has one. */
  | { type: 'unknown'; bookid: string; isbn: string }
  /** Neither an ISBN nor a number that a book can have. */
  | { type: 'misread' }

/** Of one ISBN. */
const booksMax = 50

/** @throws {ApiDown} */
export async function findScanned({ stock, reservation }: Apis, scanned: string): Promise<Found> {
  const isbn = isbnOf(scanned)
  const number = isbn ?? scanned.trim()
  if (!isId(number)) return { type: 'misread' }
  const known = await stock.read('getStock', { bookid: number })
  if (known) return { type: 'known', stock: known }
  if (isbn === undefined)
    return looksLikeIsbn(number) ? { type: 'misread' } : { type: 'unknown', bookid: number, isbn: '' }
  // Nine digits that the ISBN-10 and the ISBN-13 of a book share.
  const list = await reservation.call('listBooks', { q: isbn.slice(3, 12), limit: booksMax })
  const same = list.ok ? list.body.items.filter((it) => isOf(it, isbn)) : []
  if (same.length > 1) return { type: 'several', books: same }
  const listed = same[0] && (await stock.read('getStock', { bookid: same[0].bookid }))
  return listed ? { type: 'known', stock: listed } : { type: 'unknown', bookid: isbn, isbn }
}

const isOf = (book: Book, isbn: string): boolean => isbnOf(book.isbn) === isbn || isbnOf(book.bookid) === isbn

const looksLikeIsbn = (text: string): boolean => /^(?:\d{9}[\dX]|97[89]\d+)$/i.test(text.replaceAll('-', ''))

/** Of one book, newest first, among which the open one is looked for. */
const purchasesMax = 200

/**
 * Receives copies, against the open order of the book if there is one.
 *
 * A key has one effect, and belongs to the receipt with the order of the first time. When that is repeated, the order may be closed by
 * then; so a key that was used with another order is tried with each. At most one of them is the right one.
 * @param known undefined for a new book.
 * @throws {ApiDown}
 */
export async function receive(
  { stock }: Apis,
  receipt: Receipt,
  key: string,
  known: Stock | undefined,
): Promise<{ answer: Answer<Stock>; isOrdered: boolean }> {
  const { bookid, purchaseid } = receipt
  const send = async (order: string | undefined) => ({
    answer: await stock.call('receiveCopies', {
      body: { ...receipt, ...(order && { purchaseid: order }) },
      key,
    }),
    isOrdered: order !== undefined,
  })
  const purchases = async () => {
    const list = await stock.call('listPurchases', { bookid, limit: purchasesMax })
    return list.ok ? list.body.items : []
  }
  if (purchaseid !== undefined) return send(purchaseid)
  const open = known?.onOrder === 0 ? undefined : openOrder(await purchases(), known?.onOrder ?? null)
  const sent = await send(open?.purchaseid)
  if (!isReused(sent.answer)) return sent
  for (const order of [...(await purchases()).map((it) => it.purchaseid), undefined]) {
    const again = await send(order)
    if (!isReused(again.answer)) return again
  }
  return sent
}

export const isReused = (answer: Answer<unknown>): boolean =>
  !answer.ok && answer.refusal.slug === 'idempotency-key-reused'

/**
 * The order that the next copies belong to. The first copy marks an order as received, but the rest of its copies remain on order.
 * @param purchases newest first.
 * @param onOrder copies on order, of all orders; null if the book has no rules.
 */
export function openOrder(purchases: Purchase[], onOrder: number | null): Purchase | undefined {
  if (onOrder === 0) return undefined
  const ordered = purchases.filter(({ status }) => status === 'Ordered')
  const whole = ordered.reduce((sum, { qty }) => sum + qty, 0)
  const [begun] = purchases
    .filter(({ receivedAt }) => receivedAt !== null)
    .sort((a, b) => b.receivedAt!.localeCompare(a.receivedAt!))
  return begun && onOrder !== null && onOrder > whole ? begun : ordered.at(-1)
}

/**
 * @param movements of the book, newest first.
 * @returns those of the last receipt that gave a copy to a reservation that waited, in their order.
 */
export function servedBy(movements: Movement[], qty: number): Facts[] {
  const at = movements.findIndex(({ type }) => type === 'CopiesReceived')
  return movements
    .slice(0, Math.max(at, 0))
    .reverse()
    .filter(({ type }) => type === 'CopyReserved')
    .map(factsOf)
    .filter(({ waited }) => waited)
    .slice(0, qty)
}
