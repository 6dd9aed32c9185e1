/** Promise 8: the book list converges to the stock, and never goes back in time. */
import { expect, test } from 'vitest'
import { inParallel, range } from '../doubles/eventually.ts'
import { OwnServer } from '../doubles/own-server.ts'
import {
  type Book,
  cancel,
  every,
  everyBook,
  everyNotice,
  everyReservation,
  receive,
  reserveAndWait,
  reserveUntilAccepted,
} from '../harness/acts.ts'
import { audit, checkConsumers } from '../harness/audit.ts'
import { Producer } from '../harness/producer.ts'
import { type System, startOwnSystem } from '../harness/system.ts'

test('while processes die and Redis loses its data, the book list only moves forward', {
  timeout: 60_000,
}, async (context) => {
  await using redis = await OwnServer.redis()
  await using system = await startOwnSystem(context, { redisUrl: redis.url, reservation: 2 })
  await using producer = new Producer(system)
  const books = range(6).map((index) => `book-${index}`)
  await inParallel(books, 6, (bookid) => receive(system, bookid, 30))
  const [first, second] = system.processes.reservation

  const watching = new AbortController()
  const watched = watch(system, watching.signal)
  const accepted = await inParallel(range(240), 20, async (index) => {
    if (index === 60) await first!.restart()
    if (index === 120) await producer.redis.flushall()
    if (index === 160) await second!.restart()
    const client = system.client('reservation', index % 2)
    return reserveUntilAccepted(client, books[index % 6]!, `reader-${index}`, `key-${index}`)
  })
  await audit(system, { received: Object.fromEntries(books.map((bookid) => [bookid, 30])), accepted })
  watching.abort()
  const { looks, backwards } = await watched
  expect(looks).toBeGreaterThan(20)
  expect(backwards).toEqual([])
})

test('reading events again changes nothing: neither the list, nor reservations, nor the times of notices', async (context) => {
  await using system = await startOwnSystem(context)
  await receive(system, 'book', 2)
  for (const userid of ['ann', 'ben', 'cem']) await reserveAndWait(system.reservation, 'book', userid)
  const [held] = await everyReservation(system, '&status=Reserved')
  await cancel(system.reservation, held!.reservationid)
  await receive(system, 'book', 1)
  await checkConsumers(system)
  const shown = async () => ({
    books: await everyBook(system),
    reservations: await everyReservation(system),
    notices: await everyNotice(system),
  })
  const before = await shown()

  // As if nothing had been read: Redis is empty, nothing was trimmed, and every offset is back at the start.
  for (const process of system.all) await process.stop()
  await using producer = new Producer(system)
  await producer.redis.unlink(producer.mailboxOf('book'), producer.eventsOf('book'))
  await system.sql`update stock.mailbox set trimmed = 0`
  for (const service of ['reservation', 'notifier']) {
    await system.sql`update ${system.sql(service)}.mailbox set position = '0-0', processed = 0`
  }
  for (const process of system.all) await process.start()
  await checkConsumers(system)
  expect(await shown()).toEqual(before)
})

/** Reads the list repeatedly, on both replicas in turn, and records every book whose version went back. */
async function watch(system: System, signal: AbortSignal): Promise<{ looks: number; backwards: string[] }> {
  const newest = new Map<string, Book>()
  const backwards: string[] = []
  let looks = 0
  while (!signal.aborted) {
    const replica = system.client('reservation', looks % 2)
    // This replica may just have been killed.
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
