/** The sequence of books that customers request. Pure, and the same in every run. */

export const patterns = ['hot', 'even', 'zipf'] as const
/** One book for all; each book equally often; or as in a library: the second half as often as the first, the third a third. */
export type Pattern = (typeof patterns)[number]

type Demand = {
  /** Every requested book. */
  books: string[]
  /** The order of requests, repeated. */
  order: string[]
}

/** The length of a Zipf sequence, in which even the rarest of 10,000 books occurs. */
const zipfLength = 1 << 17

/** @param count the number of books, except in the pattern of one. */
export function demandOf(pattern: Pattern, count: number): Demand {
  if (pattern === 'hot') return { books: ['hot'], order: ['hot'] }
  const books = Array.from({ length: count }, (_, number) => `book-${number}`)
  return { books, order: pattern === 'even' ? books : zipfOf(books) }
}

/** The quantiles of the distribution in sequence: exact shares without randomness. */
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

/** More than any contender decides per second, with many clients and per client with a few. */
const perSecondMax = 15_000
const perClientSecondMax = 1_500
/** Each client starts at another book, so the share of a book differs between short and long runs. */
const margin = 1.2
const spareCopies = 20

/** @returns copies of each book, more than a run can use up. */
export function demandedOf(
  { order, clients }: Demand & { clients: number },
  { seconds, warmupSeconds }: { seconds: number; warmupSeconds: number },
): Map<string, number> {
  const perSecond = Math.min(perSecondMax, clients * perClientSecondMax)
  const sent = perSecond * (seconds + warmupSeconds) * margin
  const times = new Map<string, number>()
  for (const bookid of order) times.set(bookid, (times.get(bookid) ?? 0) + 1)
  return new Map(
    [...times].map(([bookid, count]) => [bookid, Math.ceil((sent * count) / order.length) + spareCopies]),
  )
}
