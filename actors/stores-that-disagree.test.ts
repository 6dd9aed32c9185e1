/** Redis holds what Postgres does not, or the other way round: Postgres is right, and Redis is made to agree. */
import { expect, test } from 'vitest'
import { decided, everyNotice, receive, reserve, reserveAndWait } from './testing/acts.ts'
import { audit } from './testing/audit.ts'
import { eventually, inParallel, range } from './testing/eventually.ts'
import { Producer } from './testing/producer.ts'
import { type System, startOwnSystem } from './testing/system.ts'

/** Waits until each of these customers was told, on the console, of one outcome. */
const allTold = (system: System, userids: string[]) =>
  eventually(async () => {
    const told = (await everyNotice(system, '&status=sent')).filter(
      ({ kind }) => kind !== 'purchase-requested',
    )
    expect(told.map(({ userid }) => userid).toSorted()).toEqual(userids.toSorted())
    return true
  })

const readers = (count: number) => range(count).map((n) => `reader-${n}`)

test('R4: events that somebody deletes before they were read are told all the same', async (context) => {
  await using system = await startOwnSystem(context, { partitions: 1 })
  await using producer = new Producer(system)
  await receive(system, 'book', 20)
  await system.processes.notifier[0]!.stop()
  await inParallel(readers(20), 20, (userid) => reserveAndWait(system.reservation, 'book', userid))
  // Of the stream's 21 entries: two in the middle, and half of what is left.
  await producer.redis.xdel(producer.eventsOf('book'), '15-0', '16-0')
  await producer.redis.xtrim(producer.eventsOf('book'), 'MAXLEN', 9)
  await system.processes.notifier[0]!.start()
  await allTold(system, readers(20))
})

test('R4: an entry that somebody slips in between two events is no event', async (context) => {
  await using system = await startOwnSystem(context, { partitions: 1 })
  await using producer = new Producer(system)
  await receive(system, 'book', 5)
  await reserveAndWait(system.reservation, 'book', 'reader-0')
  await producer.redis.xadd(producer.eventsOf('book'), '2-7', 'a', 'stray')
  await reserveAndWait(system.reservation, 'book', 'reader-1')
  await allTold(system, readers(2))
  await audit(system, { received: { book: 5 }, accepted: [] })
})

test('while somebody deletes entries all the time, everyone has an outcome and is told of it once', async (context) => {
  await using system = await startOwnSystem(context, { partitions: 2 })
  await using producer = new Producer(system)
  const books = ['a', 'b', 'c', 'd']
  for (const book of books) await receive(system, book, 10)
  let done = false
  const deleting = (async () => {
    for (let n = 0; !done; n++) {
      const key = n % 3 === 0 ? producer.mailboxOf(books[n % 4]!) : producer.eventsOf(books[n % 4]!)
      const [newest] = await producer.redis.xrevrange(key, '+', '-', 'COUNT', 1)
      if (n % 2) await producer.redis.xtrim(key, 'MAXLEN', 2)
      else if (newest) await producer.redis.xdel(key, newest[0])
      await eventually(() => producer.redis.xrevrange(key, '+', '-', 'COUNT', 1))
    }
  })()
  const accepted = await inParallel(readers(200), 20, (userid, n) =>
    reserve(system.reservation, books[n % 4]!, userid),
  )
  done = true
  await deleting
  await audit(system, { received: { a: 10, b: 10, c: 10, d: 10 }, accepted })
  await allTold(system, readers(200))
})

test('a new database begins anew, though Redis is full of another', async (context) => {
  const partitions = 2
  const before = await startOwnSystem(context, { partitions })
  await receive(before, 'book', 5)
  await inParallel(readers(10), 10, (userid) => reserveAndWait(before.reservation, 'book', userid))
  await allTold(before, readers(10))
  await before[Symbol.asyncDispose]()

  await using system = await startOwnSystem(context, {
    partitions,
    env: { REDIS_PREFIX: before.redisPrefix },
  })
  await receive(system, 'book', 2)
  const { reservationid } = await reserve(system.reservation, 'book', 'ann')
  const accepted = [await decided(system.reservation, reservationid)]
  await audit(system, { received: { book: 2 }, accepted })
  await allTold(system, ['ann'])
})
