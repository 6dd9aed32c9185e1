import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { type Envelope, fromFields, parseEnvelope } from '../../streams/envelope.ts'
import { partitionOf, streamKey } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import { openRedis, type RedisClient, untilReady } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { neverRestored } from '../../streams/testing/never-restored.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { parseStockCommand, type StockCommand, topics } from '../messages.ts'
import { backlogItems, readBacklog } from './backlog.ts'
import { Clock, type ClockOptions } from './clock.ts'
import { dueMax } from './due.ts'
import { presets } from './rules.ts'
import { Unclaimed } from './unclaimed.ts'

const partitions = 2
const graceMs = 3_600_000
/** One in each partition. */
const [book, otherBook] = range(partitions).map(
  (p) =>
    range(9)
      .map(String)
      .find((it) => partitionOf(it, 2) === p)!,
)

let database: Awaited<ReturnType<typeof openDatabase>>
let sql: Sql
let redis: RedisClient
let prefix: string
beforeAll(async () => {
  database = await openDatabase('stock', partitions)
  sql = database.sql
  redis = openRedis(inject('redisUrl'), 'clock-test')
  await untilReady(redis)
})
beforeEach(async () => {
  prefix = `t${crypto.randomUUID().slice(0, 8)}`
  await sql`truncate claim, untended`
})
afterAll(async () => {
  redis.disconnect()
  await database[Symbol.asyncDispose]()
})

type Kind = 'waiting' | 'held' | 'ready' | 'out'
/** Adds a claim that is due this long ago, milliseconds. @returns its reservation. */
async function claim(kind: Kind, ago: number | null, bookid = book!): Promise<string> {
  const reservationid = crypto.randomUUID()
  const at = ago === null ? null : sql`now() - ${ago}::float * interval '1 millisecond'`
  await sql`
    insert into claim (reservationid, bookid, partition, userid, kind, place, since, pickup_by, lapses_at)
    values (${reservationid}, ${bookid}, ${partitionOf(bookid, partitions)}, 'ann', ${kind}, 1, now(),
      ${kind === 'waiting' ? null : at}, ${kind === 'waiting' ? at : null})`
  return reservationid
}

const leaveUntended = (bookid: string) =>
  sql`insert into untended (bookid, partition) values (${bookid}, ${partitionOf(bookid, partitions)})`

/** Runs a clock until it has looked once. @returns how long it says that it will pause at most, milliseconds. */
async function look(own: Partial<ClockOptions> = {}): Promise<number> {
  const stop = new AbortController()
  const looked = Promise.withResolvers<number>()
  const clock = new Clock({
    sql,
    redis,
    prefix,
    partitions,
    sender: new Sender({ redis, prefix, topic: topics.stockMailbox, partitions, incarnation: neverRestored }),
    graceMs,
    calendar: { reload: async () => {} },
    log: { info() {}, warn() {} } as never,
    maySend: () => true,
    ...own,
  })
  clock.pulse.beat = (pauseMs = 0) => looked.resolve(pauseMs)
  clock.pulse.fail = (error) => looked.reject(error)
  const running = clock.run(stop.signal)
  try {
    return await looked.promise
  } finally {
    stop.abort()
    await running
  }
}

const mailbox = (partition: number) => streamKey(prefix, topics.stockMailbox, partition)
const bookMailbox = () => mailbox(partitionOf(book!, partitions))

/** The commands that were sent to the mailboxes from `first` on. */
async function sent(first = 0): Promise<StockCommand[]> {
  const all = await Promise.all(range(partitions).map((it) => redis.xrange(mailbox(it), '-', '+')))
  return all.slice(first).flatMap((entries, i) =>
    entries.flatMap(([, fields]) => {
      const envelopes = fromFields(fields as never).map((it) => parseEnvelope(it))
      for (const { subject } of envelopes) expect(partitionOf(subject, partitions)).toBe(first + i)
      return envelopes.map(parseStockCommand)
    }),
  )
}
const reservations = (commands: StockCommand[]) =>
  commands.map((it) => ('reservationid' in it ? it.reservationid : it.bookid)).sort()

test('the clock sends what is due to the mailbox of its book, and nothing before', async () => {
  const expired = await claim('ready', graceMs + 1)
  const elsewhere = await claim('ready', graceMs + 86_400_000, otherBook)
  const lapsed = await claim('waiting', 1)
  await leaveUntended(otherBook!)
  const notYet: [Kind, number | null][] = [
    ['ready', graceMs - 5_000],
    ['ready', null],
    ['waiting', -5_000],
    ['waiting', null],
    // They have no deadline in use.
    ['held', graceMs + 1],
    ['out', graceMs + 1],
  ]
  for (const [kind, ago] of notYet) await claim(kind, ago)
  await look()
  const commands = await sent()
  const about = commands.map(({ type, bookid, ...it }) => [
    type,
    bookid,
    'reservationid' in it && it.reservationid,
  ])
  expect(about.sort()).toEqual(
    [
      ['ExpireHold', book, expired],
      ['ExpireHold', otherBook, elsewhere],
      ['LapseWait', book, lapsed],
      ['TendQueue', otherBook, false],
    ].sort(),
  )
  // The book compares this time with the deadline it remembers.
  const times = commands.flatMap((it) => ('at' in it ? [[it.reservationid, it.at] as const] : []))
  for (const [reservationid, at] of times) {
    const [row] = await sql<{ due: boolean }[]>`
      select coalesce(pickup_by, lapses_at) <= ${at}::text::timestamptz as due from claim
      where reservationid = ${reservationid}`
    expect(row!.due).toBe(true)
  }
})

test('a message without effect is sent again after a minute, or five seconds for a queue, and not before', async () => {
  const all = [await claim('ready', graceMs + 1), await claim('waiting', 1), book!].sort()
  await leaveUntended(book!)
  // Messages that are lost.
  const lost = async () => void (await redis.unlink(bookMailbox()))
  await look()
  expect(reservations(await sent())).toEqual(all)
  await lost()
  const setBack = async (claims: number, queues: number) => {
    await sql`update claim set asked_at = now() - ${claims}::float * interval '1 second'`
    await sql`update untended set asked_at = now() - ${queues}::float * interval '1 second'`
  }
  for (const [claims, queues] of [
    [0, 0],
    [55, 0],
  ] as const) {
    await setBack(claims, queues)
    await look()
    expect(await sent()).toEqual([])
  }
  await setBack(61, 6)
  await look()
  expect(reservations(await sent())).toEqual(all)
})

test('nothing is sent to a mailbox that stock has not read to its end, and other mailboxes get theirs', async () => {
  await claim('ready', graceMs + 2)
  const elsewhere = await claim('ready', graceMs + 1, otherBook)
  // A hand-over, say. Stock has not started yet.
  await redis.xadd(bookMailbox(), '5-0', 'cloudevents', '[]')
  await look()
  expect(await redis.xlen(bookMailbox())).toBe(1)
  expect(reservations(await sent(1))).toEqual([elsewhere])

  // It has started, and read nothing; or another client has read in its name; or a later message has arrived.
  await redis.xgroup('CREATE', bookMailbox(), 'stock', '0-0')
  await look()
  await redis.xreadgroup('GROUP', 'stock', 'other client', 'STREAMS', bookMailbox(), '>')
  await look()
  await redis.xgroup('DELCONSUMER', bookMailbox(), 'stock', 'other client')
  await redis.xadd(bookMailbox(), '6-0', 'cloudevents', '[]')
  await look()
  expect(await redis.xlen(bookMailbox())).toBe(2)

  await redis.xgroup('SETID', bookMailbox(), 'stock', '6-0')
  await look()
  expect(await redis.xlen(bookMailbox())).toBe(3)
})

test('clocks of several processes send each message once', async () => {
  const ids = await Promise.all(range(200).map((n) => claim('ready', graceMs + 1, n % 2 ? book : otherBook)))
  // All of them look at mailboxes that stay empty, so that none waits until stock has read what another has sent.
  await Promise.all(range(4).map(() => look({ prefix: `${prefix}-empty` })))
  expect(reservations(await sent())).toEqual(ids.sort())
})

test('one look sends a limited number of messages, of the earliest deadlines', async () => {
  const count = dueMax + 10
  await sql`
    insert into claim (reservationid, bookid, partition, userid, kind, place, since, pickup_by)
    select lpad(to_hex(i), 32, '0')::uuid, ${book!}, ${partitionOf(book!, partitions)}, 'ann', 'ready', i, now(),
      now() - interval '1 day' - i * interval '1 second'
    from generate_series(1, ${count}::int) i`
  await look()
  const left = await sql<{ place: number }[]>`select place from claim where asked_at is null order by place`
  expect(left.map(({ place }) => place)).toEqual(range(10).map((n) => n + 1))
  expect(await redis.xlen(bookMailbox())).toBe(dueMax)
})

test('the clock pauses until the next deadline, and never for longer than ten seconds', async () => {
  const jitterMax = 1.25
  expect(await look()).toBe(10_000 * jitterMax)
  await claim('ready', graceMs - 86_400_000)
  expect(await look()).toBe(10_000 * jitterMax)
  await claim('waiting', -5_000)
  const pauseMs = await look()
  expect(pauseMs).toBeGreaterThan(1_000 * jitterMax)
  expect(pauseMs).toBeLessThanOrEqual(5_000 * jitterMax)
  await claim('waiting', 1)
  expect(await look()).toBe(1_000 * jitterMax)
})

test('while nothing may be sent, nothing is claimed, and the calendar is reloaded', async () => {
  await claim('ready', graceMs + 1)
  let reloads = 0
  await look({ maySend: () => false, calendar: { reload: async () => void reloads++ } })
  expect(await sent()).toEqual([])
  expect(reloads).toBe(1)
  await look()
  expect(await sent()).toHaveLength(1)
})

test('holds without claims of books with rules are found, of those that have the rules of the installation or their own', async () => {
  const { original, library } = presets
  const add = async (bookid: string, rules: object | null, ...statuses: string[]) => {
    const held = statuses.filter((it) => it === 'held').length
    await sql`insert into book (bookid, held, rules) values (${bookid}, ${held}, ${rules && sql.json(rules as never)})`
    const ids = statuses.map(() => crypto.randomUUID())
    for (const [i, status] of statuses.entries())
      await sql`insert into hold (reservationid, bookid, userid, status) values (${ids[i]!}, ${bookid}, 'ann', ${status})`
    return ids
  }
  const [plain, released] = await add('plain', null, 'held', 'released')
  const [own] = await add('own', { pickupDays: 5 }, 'held')
  await add('like the original', original, 'held')
  const claimed = await add('claimed', library, 'held')
  await sql`insert into claim (reservationid, bookid, partition, userid, kind, since)
    values (${claimed[0]!}, 'claimed', 0, 'ann', 'ready', now())`
  expect(released).toBeDefined()
  const found = async (defaults: typeof original | typeof library) => {
    const commands: StockCommand[] = []
    const sender = { send: async (it: Envelope) => void commands.push(parseStockCommand(it)) }
    const log = { info() {}, warn() {} } as never
    const unclaimed = new Unclaimed({
      sql,
      sender,
      defaults,
      now: () => new Date(),
      log,
      maySend: () => true,
    })
    expect(await unclaimed.sendAll(new AbortController().signal)).toBe(commands.length)
    for (const { type } of commands) expect(type).toBe('ClaimHold')
    return reservations(commands)
  }
  expect(await found(library)).toEqual([plain, own].sort())
  expect(await found(original)).toEqual([own])
  await sql`delete from book`
  expect(await found(library)).toEqual([])
})

const always = {
  timeZone: 'Asia/Seoul',
  closingTime: '18:00',
  closedWeekdays: [],
  closedDates: new Set<string>(),
}

test('metrics say how long holds and queues have been stuck, and how many reservations wait', async () => {
  expect(await readBacklog(sql, 0, always)).toEqual({
    unshelved: 0,
    overdue: 0,
    untended: 0,
    waiting: 0,
    longest: 0,
  })
  for (const kind of ['held', 'ready', 'waiting', 'out'] as const) await claim(kind, 60_000)
  await leaveUntended(book!)
  await sql`update claim set since = now() - interval '90 seconds' where kind = 'held'`
  await sql`update untended set since = now() - interval '30 seconds', asked_at = now()`
  await sql`insert into book (bookid, waiting) values ('a', 2), ('b', 5), ('c', 0)`
  const { unshelved, overdue, untended, ...queues } = await readBacklog(sql, 20_000, always)
  for (const [seconds, atLeast] of [
    [unshelved, 90],
    [overdue, 40],
    [untended, 30],
  ] as const) {
    expect(seconds).toBeGreaterThanOrEqual(atLeast)
    expect(seconds).toBeLessThan(atLeast + 20)
  }
  expect(queues).toEqual({ waiting: 7, longest: 5 })
  expect((await readBacklog(sql, 3_600_000, always)).overdue).toBe(0)
  const closed = { ...always, closedWeekdays: [1, 2, 3, 4, 5, 6, 7] }
  expect((await readBacklog(sql, 0, closed)).unshelved).toBe(0)
  const items = await backlogItems(sql, 20_000, always)
  expect(items.map(({ name, count, oldestSeconds }) => [name, count > 0, oldestSeconds])).toEqual([
    ['UnshelvedCopies', true, expect.closeTo(unshelved, 0)],
    ['OverdueHolds', true, expect.closeTo(overdue, 0)],
    ['UntendedQueues', true, expect.closeTo(untended, 0)],
  ])
  expect((await backlogItems(sql, 3_600_000, always))[1]).toMatchObject({ count: 0, oldestSeconds: null })
})
