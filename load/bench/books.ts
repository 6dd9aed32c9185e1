/** Which books customers ask for, one after the other. Pure, and the same in every run. */

export const patterns = ['hot', 'even', 'zipf'] as const
/** One book for all; each equally often; or as in a library: the second half as often as the first, the third a third. */
export type Pattern = (typeof patterns)[number]

export type Demand = {
  /** Every book that is asked for. */
  books: string[]
  /** In this order, over and over. */
  order: string[]
}

/** Of a Zipf distribution, long enough for the rarest of 10,000 books to have its turn. */
const zipfLength = 1 << 17

/** @param count how many books there are, save in the pattern of one. */
export function demandOf(pattern: Pattern, count: number): Demand {
  if (pattern === 'hot') return { books: ['hot'], order: ['hot'] }
  const books = Array.from({ length: count }, (_, number) => `book-${number}`)
  return { books, order: pattern === 'even' ? books : zipfOf(books) }
}

/** The quantiles of the distribution, one after the other: exact shares without chance. */
function zipfOf(books: string[]): string[] {
  const harmonic = books.reduce((sum, _, index) => sum + 1 / (index + 1), 0)
  const order: string[] = []
  let sum = 0
  for (const [index, bookid] of books.entries()) {
    sum += 1 / (index + 1) / harmonic
    while (order.length < Math.round(sum * zipfLength)) order.push(bookid)
  }
  return order
}

/** More than any contender decides in a second, with many clients and for each of a few clients. */
const perSecondMax = 15_000
const perClientSecondMax = 1_500
/** Each client begins at another book, so a book's share of a short run differs from its share of a long one. */
const margin = 1.2
const spareCopies = 20

/** @returns the copies of each book that a run cannot use up. */
export function demandedOf(
  { order, clients }: Demand & { clients: number },
  { seconds, warmupSeconds }: { seconds: number; warmupSeconds: number },
): Map<string, number> {
  const perSecond = Math.min(perSecondMax, clients * perClientSecondMax)
  const asked = perSecond * (seconds + warmupSeconds) * margin
  const times = new Map<string, number>()
  for (const bookid of order) times.set(bookid, (times.get(bookid) ?? 0) + 1)
  return new Map(
    [...times].map(([bookid, count]) => [bookid, Math.ceil((asked * count) / order.length) + spareCopies]),
  )
}
