/** Redis and Postgres disagree: Postgres is right, and Redis is aligned with it. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Envelope, fromFields, toFields } from '../streams/envelope.ts'
import { partitionOf } from '../streams/partition.ts'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import { decided, everyBook, everyNotice, receive, reserve, reserveAndWait } from './harness/acts.ts'
import { audit, checkBookList, checkConsumers } from './harness/audit.ts'
import { fieldsOf, Producer } from './harness/producer.ts'
import { type System, startOwnSystem, useSystem } from './harness/system.ts'

/** Waits until the console has shown one notice for each of these customers. */
const allTold = (system: System, userids: string[]) =>
  eventually(async () => {
    const sent = (await everyNotice(system, '&status=Sent')).filter(
      ({ kind }) => kind !== 'purchase-requested',
    )
    expect(sent.map(({ userid }) => userid).toSorted()).toEqual(userids.toSorted())
    return true
  })

const partitions = 8
const shared = useSystem({ partitions })
const readers = (count: number) => range(count).map((n) => `reader-${n}`)

test('R4: an entry inserted between two events is not an event, and events deleted before they were read still lead to notices', async (context) => {
  await using system = await startOwnSystem(context, { partitions: 1 })
  await using producer = new Producer(system)
  await receive(system, 'book', 22)
  await reserveAndWait(system.reservation, 'book', 'early-0')
  await producer.redis.xadd(producer.eventsOf('book'), '2-7', 'a', 'stray')
  await reserveAndWait(system.reservation, 'book', 'early-1')
  const early = ['early-0', 'early-1']
  await allTold(system, early)

  await system.processes.notifier[0]!.stop()
  await inParallel(readers(20), 20, (userid) => reserveAndWait(system.reservation, 'book', userid))
  // Two in the middle of the stream's 23 entries, and half of the rest.
  await producer.redis.xdel(producer.eventsOf('book'), '17-0', '18-0')
  await producer.redis.xtrim(producer.eventsOf('book'), 'MAXLEN', 9)
  await system.processes.notifier[0]!.start()
  await allTold(system, [...early, ...readers(20)])
  await audit(system, { received: { book: 22 }, accepted: [] })
})

test('while another client keeps deleting entries, every reservation has one outcome and one notice; a new database starts from the beginning', {
  timeout: 60_000,
}, async (context) => {
  const partitions = 2
  const system = await startOwnSystem(context, { partitions })
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
  await system[Symbol.asyncDispose]()

  // Redis still holds the streams of the old one.
  await using fresh = await startOwnSystem(context, { partitions, env: { REDIS_PREFIX: system.redisPrefix } })
  await receive(fresh, 'a', 2)
  const { reservationid } = await reserve(fresh.reservation, 'a', 'ann')
  const only = [await decided(fresh.reservation, reservationid)]
  await audit(fresh, { received: { a: 2 }, accepted: only })
  await allTold(fresh, ['ann'])
})

/** Entries that another client may write in place of the next event. */
const intruders: Record<string, (last: string[]) => string[]> = {
  'what is no message': () => ['g', 'garbage'],
  'an empty batch': () => toFields([]),
  'a message of another kind': () =>
    fieldsOf({ type: 'OrderCopies', bookid: 'a', commandid: randomUUID(), purchaseid: randomUUID(), qty: 1 }),
  'the last event once more': (last) => last,
  'the last event with the next sequence': (last) =>
    changedLast(last, (it) => ({ ...it, sequence: String(Number(it.sequence) + 1) })),
  'an event of a book of another partition': (last) =>
    changedLast(last, (it) => ({
      ...it,
      sequence: String(Number(it.sequence) + 1),
      subject: elsewhere(it.subject),
    })),
}

/** A book of that partition. */
const bookIn = (partition: number) =>
  range(100)
    .map((n) => `book-${n}`)
    .find((it) => partitionOf(it, partitions) === partition)!

/** A book of another partition. */
const elsewhere = (bookid: string) =>
  range(100)
    .map((n) => `elsewhere-${n}`)
    .find((it) => partitionOf(it, partitions) !== partitionOf(bookid, partitions))!

function changedLast(last: string[], change: (event: Envelope) => Envelope): string[] {
  const events = fromFields(last) as Envelope[]
  return toFields([change(events.at(-1)!)])
}

// Each in a partition of its own, side by side: a partition that is quarantined twice in a row rests for some seconds each time.
describe.concurrent('in an event stream', () => {
  test.each(Object.entries(intruders).map(([name, intruder], partition) => ({ name, intruder, partition })))(
    '$name under the next sequence replaces no event',
    { timeout: 60_000 },
    async ({ intruder, partition }) => {
      const system = shared()
      await using producer = new Producer(system)
      const book = bookIn(partition)
      await receive(system, book, 1)
      const key = producer.eventsOf(book)
      const slipIn = async () => {
        // The stream is empty for a moment while it is recreated.
        const last = await eventually(
          async () => (await producer.redis.xrevrange(key, '+', '-', 'COUNT', 1))[0],
        )
        const next = Number(last[0].split('-')[0]) + 1
        // Stock may have published one meanwhile; then this hits its next event.
        await producer.redis.xadd(key, `${next}-0`, ...intruder(last[1])).catch(() => {})
      }
      await slipIn()
      expect((await reserveAndWait(system.reservation, book, 'ann')).status).toBe('Reserved')
      await slipIn()
      await receive(system, book, 7)
      const isListed = async () => (await everyBook(system)).find((it) => it.bookid === book)?.qty === 7
      await eventually(isListed, { timeoutMs: 30_000 })
      const logged = await system.sql<{ id: string }[]>`
        select id from stock.event_log where partition = ${partition} order by seq`
      await eventually(async () => {
        const ids = (await producer.messages(key)).map((it) => it.id)
        return (
          ids.length > 0 &&
          ids.join() ===
            logged
              .slice(-ids.length)
              .map((it) => it.id)
              .join()
        )
      })
    },
  )
})

test('after that, every event was consumed once, and the book list shows the stock', async () => {
  await checkConsumers(shared())
  await checkBookList(shared())
  const notices = await everyNotice(shared(), '&userid=ann')
  const shown = notices.filter((it) => it.channel === 'console').map((it) => it.bookid)
  expect(shown.sort()).toEqual(range(Object.keys(intruders).length).map(bookIn).sort())
})
