/**
 * Promise 2: every accepted reservation gets exactly one outcome, whichever process is killed and whatever is lost
 * meanwhile.
 */
import { describe, expect, inject, test, vi } from 'vitest'
import { serviceNames } from '../../platform/config.ts'
import { entriesOf } from '../../streams/entry.ts'
import type { Envelope } from '../../streams/envelope.ts'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { OwnServer } from '../doubles/own-server.ts'
import { TcpProxy } from '../doubles/tcp-proxy.ts'
import {
  allDecided,
  count,
  everyNotice,
  type Reservation,
  receive,
  reservationOf,
  reserve,
  reserveAndWait,
  reserveUntilAccepted,
} from '../harness/acts.ts'
import { audit } from '../harness/audit.ts'
import { withDatabase } from '../harness/database.ts'
import { Producer } from '../harness/producer.ts'
import { type System, startOwnSystem } from '../harness/system.ts'

// Each of these keeps the machine busy at times.
vi.setConfig({ maxConcurrency: 3 })

const books = range(10).map((index) => `book-${index}`)
const bookFor = (index: number) => books[index % books.length]!
const receiveAll = async (system: System, qty: number) => {
  await inParallel(books, 10, (bookid) => receive(system, bookid, qty))
  return Object.fromEntries(books.map((bookid) => [bookid, qty]))
}

test.concurrent('when processes are killed in the middle of a batch and restarted, every reservation is decided once', {
  timeout: 60_000,
}, async (context) => {
  await using system = await startOwnSystem(context)
  const received = await receiveAll(system, 20)
  const accepted = await inParallel(range(400), 40, async (index) => {
    // Two kills of each service, with dozens of reservations in flight.
    if (index % 60 === 50) await system.processes[serviceNames[Math.floor(index / 60) % 3]!][0]!.restart()
    return reserveUntilAccepted(system.reservation, bookFor(index), `reader-${index}`, `key-${index}`)
  })
  const reservations = await audit(system, { received, accepted })
  expect(reservations.length).toBe(400)
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(200)
  await everyOutcomeNotified(system, reservations)
})

test.concurrent('AC1: when Redis loses everything amid 1,000 reservations, all are decided and the streams refilled', {
  timeout: 90_000,
}, async (context) => {
  await using redis = await OwnServer.redis()
  await using system = await startOwnSystem(context, { redisUrl: redis.url, stock: 2 })
  await using producer = new Producer(system)
  const received = await receiveAll(system, 50)
  const notifier = system.processes.notifier[0]!
  const accepted = await inParallel(range(1_000), 40, async (index) => {
    // A consumer that is down must find all unread events in the refilled streams.
    if (index === 200) await notifier.stop()
    if (index === 350 || index === 700) await producer.redis.flushall()
    return reserve(system.reservation, bookFor(index), `reader-${index}`)
  })
  const reservations = await audit(system, { received, accepted })
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(500)
  await notifier.start()
  await everyOutcomeNotified(system, reservations)
  await streamsHoldTheLogsEnd(system, producer)
})

test.concurrent('when Redis comes back with an old state, all are decided and their notices sent', {
  timeout: 90_000,
}, async (context) => {
  await using redis = await OwnServer.redis()
  // Two, because a process that is alone announces nothing.
  await using system = await startOwnSystem(context, { redisUrl: redis.url, reservation: 2 })
  const received = await receiveAll(system, 20)
  const reserveMany = (from: number, to: number) =>
    inParallel(range(to - from), 20, (index) =>
      reserve(system.reservation, bookFor(index), `reader-${from + index}`),
    )
  const accepted = await reserveMany(0, 100)
  await allDecided(system)
  await redis.stop()
  await redis.keepCopy()
  await redis.start()
  accepted.push(...(await reserveMany(100, 250)))
  await redis.stop()
  await redis.restoreCopy()
  await redis.start()
  accepted.push(...(await reserveMany(250, 300)))
  const reservations = await audit(system, { received, accepted })
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(200)
  await everyOutcomeNotified(system, reservations)
})

describe.concurrent('when the reply is lost on the way from', () => {
  test('Redis, nothing is lost or doubled', { timeout: 60_000 }, async (context) => {
    await using redis = await TcpProxy.start(inject('redisUrl'))
    // Two, because a process that is alone announces nothing.
    await using system = await startOwnSystem(context, { redisUrl: redis.url, reservation: 2 })
    const received = await receiveAll(system, 5)
    // Sending, reading and publishing are scripts; then the doorbell, then announcements, then anything.
    const commands = [/evalsha/i, /evalsha/i, /xread/i, /publish/i, /./]
    const accepted: Reservation[] = []
    let round = 0
    for (const command of commands) {
      let lost = false
      void redis
        .swallowReply((bytes) => command.test(bytes.toString('latin1')), 3)
        .then(() => {
          lost = true
        })
      // Few, large batches need fewer commands than that.
      while (!lost) accepted.push(...(await reserveSome(system, round++)))
    }
    const reservations = await audit(system, { received, accepted })
    expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(50)
    await everyOutcomeNotified(system, reservations)
  })

  test('Postgres, so that the outcome of commits is unknown, nothing is lost or doubled', {
    timeout: 60_000,
  }, async (context) => {
    await using postgres = await TcpProxy.start(inject('postgresUrl'))
    await using system = await startOwnSystem(context, {
      envOf: (_service, _index, env) => ({
        DATABASE_URL: withDatabase(postgres.url, new URL(env.DATABASE_URL!).pathname.slice(1)),
      }),
    })
    const received = await receiveAll(system, 5)
    const accepted: Reservation[] = []
    for (const round of range(5)) {
      // Any statement of any service: an insert, a commit, a renewal of leases.
      const lost = postgres.swallowReply(() => true, 4)
      accepted.push(...(await reserveSome(system, round)))
      await lost
    }
    const reservations = await audit(system, { received, accepted })
    expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(50)
    await everyOutcomeNotified(system, reservations)
  })

  /** 20 reservations, repeated with their keys until they are answered. */
  const reserveSome = (system: System, round: number) =>
    inParallel(range(20), 10, (index) =>
      reserveUntilAccepted(
        system.reservation,
        bookFor(index),
        `reader-${round}-${index}`,
        `key-${round}-${index}`,
      ),
    )
})

test.concurrent('a decision that a customer has seen survives a kill of Postgres', {
  timeout: 90_000,
}, async (context) => {
  await using postgres = await OwnServer.postgres()
  await using system = await startOwnSystem(context, { postgresUrl: postgres.url, notifier: 0 })
  const seen: Reservation[] = []
  for (const round of range(4)) {
    const book = `book-${round}`
    await receive(system, book, 2)
    const decided = await inParallel(range(6), 6, (index) =>
      reserveAndWait(system.reservation, book, `reader-${round}-${index}`),
    )
    await postgres.crash()
    await postgres.start()
    seen.push(...decided)
    await eventually(async () => (await fetch(`${system.reservation.url}/readyz`)).ok)
    for (const { reservationid, status } of seen)
      expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status })
  }
})

/** The console has exactly one notice for each reservation, with its outcome. */
async function everyOutcomeNotified(system: System, reservations: Reservation[]): Promise<void> {
  const wanted = reservations
    .map(({ reservationid, status }) => `${reservationid} ${status === 'Reserved' ? 'reserved' : 'failed'}`)
    .sort()
  await eventually(
    async () => {
      const notices = await everyNotice(system, '&status=Sent')
      const shown = notices.filter(({ channel, reservationid }) => channel === 'console' && reservationid)
      expect(shown.map(({ reservationid, kind }) => `${reservationid} ${kind}`).sort()).toEqual(wanted)
      return true
    },
    { timeoutMs: 20_000, message: 'Not every outcome has exactly one notice' },
  )
}

/** Every event stream ends where the log ends, and its entries have the log's ids and sequence numbers. */
async function streamsHoldTheLogsEnd(system: System, producer: Producer): Promise<void> {
  const log = await system.sql<{ partition: number; seq: number; id: string }[]>`
    select partition, seq, id from stock.event_log order by partition, seq`
  const streamOf = new Map(
    books.map((bookid) => [
      producer.eventsOf(bookid),
      log.filter((row) => row.partition === partition(bookid)),
    ]),
  )
  function partition(bookid: string): number {
    return Number(producer.eventsOf(bookid).match(/-(\d+)\}:/)![1])
  }
  for (const [key, rows] of streamOf) {
    const entries = (await producer.redis.xrange(key, '-', '+')) as [string, string[]][]
    const info = (await producer.redis.xinfo('STREAM', key)) as unknown[]
    const last = info[info.indexOf('last-generated-id') + 1]
    expect(last).toBe(`${rows.at(-1)!.seq}-0`)
    const ids = new Map(rows.map((row) => [`${row.seq}-0`, row.id]))
    for (const { position, message } of entriesOf(entries, '0-0', true)) {
      expect((message as Envelope).id, `the event at ${position} of ${key}`).toBe(ids.get(position))
    }
  }
}
