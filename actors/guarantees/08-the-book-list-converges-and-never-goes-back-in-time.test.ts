/** Promise 8: the book list converges to the stock, and never goes back in time. */
import { expect, test } from 'vitest'
import { type Book, every, receive, reserveUntilAccepted } from '../testing/acts.ts'
import { audit } from '../testing/audit.ts'
import { inParallel, range } from '../testing/eventually.ts'
import { OwnServer } from '../testing/own-server.ts'
import { Producer } from '../testing/producer.ts'
import { type System, startOwnSystem } from '../testing/system.ts'

test('whoever watches the book list while processes die and Redis forgets sees it move forward only', {
  timeout: 60_000,
}, async () => {
  await using redis = await OwnServer.redis()
  await using system = await startOwnSystem({ redisUrl: redis.url, reservation: 2 })
  await using producer = new Producer(system)
  const books = range(6).map((index) => `book-${index}`)
  await inParallel(books, 6, (bookid) => receive(system, bookid, 30))
  const [first, second] = system.processes.reservation

  const watching = new AbortController()
  const watched = watch(system, watching.signal)
  const accepted = await inParallel(range(240), 20, async (index) => {
    if (index === 60) await first!.kill().then(() => first!.start())
    if (index === 120) await producer.redis.flushall()
    if (index === 160) await second!.kill().then(() => second!.start())
    const client = system.client('reservation', index % 2)
    return reserveUntilAccepted(client, books[index % 6]!, `reader-${index}`, `key-${index}`)
  })
  await audit(system, { received: Object.fromEntries(books.map((bookid) => [bookid, 30])), accepted })
  watching.abort()
  const { looks, backwards } = await watched
  expect(looks).toBeGreaterThan(20)
  expect(backwards).toEqual([])
})

/** Reads the list again and again, on both replicas in turn, and notes every book whose version went back. */
async function watch(system: System, signal: AbortSignal): Promise<{ looks: number; backwards: string[] }> {
  const newest = new Map<string, Book>()
  const backwards: string[] = []
  let looks = 0
  while (!signal.aborted) {
    const replica = system.client('reservation', looks % 2)
    // The replica that is asked may just have been killed.
    const books = await every<Book>(replica, 'books', '/books?limit=200').catch(() => [])
    for (const book of books) {
      const known = newest.get(book.bookid)
      if (known && known.version > book.version) {
        backwards.push(`${book.bookid}: ${known.version} then ${book.version}`)
      }
      newest.set(book.bookid, book)
    }
    looks++
  }
  return { looks, backwards }
}
