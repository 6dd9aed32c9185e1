/** Streams on a Redis Cluster with several masters. */
import { expect, test } from 'vitest'
import { inParallel, range } from './doubles/eventually.ts'
import { OwnServer } from './doubles/own-server.ts'
import { count, receive, reserve } from './harness/acts.ts'
import { audit } from './harness/audit.ts'
import { sharedOut } from './harness/owner.ts'
import { startOwnSystem } from './harness/system.ts'

test('on three masters and with two stock workers, everything is decided and nothing is oversold', async (context) => {
  await using cluster = await OwnServer.redisCluster()
  await using system = await startOwnSystem(context, { redisUrl: cluster.url, stock: 2 })
  await sharedOut(system, 'stock')

  const books = range(30).map((index) => `book-${index}`)
  await inParallel(books, 10, (bookid) => receive(system, bookid, 5))
  // Ten readers want the five copies of each book.
  const accepted = await inParallel(range(300), 50, (index) =>
    reserve(system.reservation, books[index % books.length]!, `reader-${index}`),
  )

  const received = Object.fromEntries(books.map((bookid) => [bookid, 5]))
  const reservations = await audit(system, { received, accepted })
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(150)
  expect(count(reservations, ({ status }) => status === 'Failed')).toBe(150)
})
