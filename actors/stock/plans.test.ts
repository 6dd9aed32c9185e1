/** Hot statements use an index, whether their tables are empty or have 300,000 rows. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { lowestId } from '../../platform/history.ts'
import { commit } from '../../streams/commit.ts'
import { lettersToRedrive, pageLetters } from '../../streams/dead-letter.ts'
import { inBatches } from '../../streams/event-batch.ts'
import { EventLog } from '../../streams/event-log.ts'
import type { Delivery } from '../../streams/handler.ts'
import { type Lease, releaseLeases, renewLeases } from '../../streams/lease.ts'
import { readPartitions } from '../../streams/partition-state.ts'
import { closePostgres, type Sql } from '../../streams/postgres.ts'
import { openRedis, type RedisClient, untilReady } from '../../streams/redis.ts'
import { neverRestored } from '../../streams/testing/never-restored.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { analyze, expectIndexes, fillQuickly, openUnforced } from '../../tests/harness/plans.ts'
import { type StockCommand, topics } from '../messages.ts'
import { backlogItems, queuesMax, readBacklog } from './backlog.ts'
import * as due from './due.ts'
import { source, stockCommandHandler } from './handler.ts'
import { forgetPage } from './history.ts'
import * as queries from './queries.ts'
import { loadClaims } from './store.ts'
import { withoutRules } from './testing.ts'

const partitions = 16
const worker = 'worker'
const leaseTtlMs = 600_000

let database: Awaited<ReturnType<typeof openDatabase>>
let hot: Sql
let unforced: Sql
let redis: RedisClient
beforeAll(async () => {
  database = await openDatabase('stock', partitions)
  hot = database.sql
  unforced = openUnforced(hot, 'stock')
  redis = openRedis(inject('redisUrl'), 'plans')
  await untilReady(redis)
})
afterAll(async () => {
  redis.disconnect()
  await closePostgres(unforced)
  await database[Symbol.asyncDispose]()
})

const who = () => ({ reservationid: crypto.randomUUID(), userid: 'u' })
const commandOf = (i: number): StockCommand => {
  const bookid = `book-${i}`
  const commandid = crypto.randomUUID()
  const purchaseid = crypto.randomUUID()
  return [
    { type: 'ReceiveCopies' as const, bookid, commandid, qty: 3, purchaseid },
    { type: 'ReserveCopy' as const, bookid, ...who() },
    { type: 'ReleaseCopy' as const, bookid, ...who() },
    { type: 'OrderCopies' as const, bookid, commandid, purchaseid, qty: 1 },
  ][i % 4]!
}

const deliveries = (count: number): Delivery<StockCommand>[] =>
  range(count).map((i) => ({
    partition: i % partitions,
    position: `${i + 1}-0`,
    envelope: { specversion: '1.0', id: '1', source: '/x', type: 'x', subject: 'x', time: '', data: {} },
    message: commandOf(i),
  }))

const leases = async (): Promise<Lease[]> => (await renewLeases(hot, worker, leaseTtlMs)).owned

/** Loads, decides and commits a batch of every command with its events, one dead letter and one redriven letter. */
async function decide(sql: Sql, size: number): Promise<void> {
  const owned = await leases()
  const handler = stockCommandHandler({ ...withoutRules, sql, committed() {} })
  const effects = await handler.handle(deliveries(size))
  const { writes, results } = effects
  const advances = owned.map(({ partition, epoch, position, seq }) => ({
    partition,
    epoch,
    from: position,
    to: position,
    count: 0,
    seq,
  }))
  const events = inBatches(effects.events, advances)
  expect(events).not.toEqual([])
  const letters = [{ partition: 0, position: '1-1', reason: 'r', fields: ['a'] }]
  const redriven = [{ partition: 0, position: '1-2' }]
  const done = await commit(sql, { advances, events, letters, redriven, writes, results })
  expect(done.partitions.size).toBe(partitions)
}

/** Publishes the end of the log, loses the stream, refills it, and prunes the log. */
async function refill(sql: Sql): Promise<void> {
  const prefix = crypto.randomUUID()
  const log = new EventLog({
    sql,
    redis,
    prefix,
    topic: topics.stockEvents,
    source,
    incarnation: neverRestored,
  })
  const { partition, epoch, seq } = (await leases()).find((it) => it.partition === 0)!
  const at = { partition, epoch, seq, trimmed: Math.max(0, seq - 100) }
  try {
    await log.publish([{ at, events: [] }])
    await redis.xtrim(log.key(partition), 'MAXLEN', 0)
    expect(await log.mend(at)).toBe('it begins too late')
    await log.trim(at, 90)
  } finally {
    await redis.unlink(log.key(partition))
  }
}

/** @returns how many rows of a table `act` fetches by its indexes, including those it filters out. */
async function fetched(sql: Sql, table: string, act: (sql: Sql) => Promise<unknown>): Promise<number> {
  // Inside a transaction, this view has the counts of the transaction alone.
  return await sql.begin(async (transaction) => {
    const count = async () => {
      const [row] = await transaction<{ n: number }[]>`
        select idx_tup_fetch as n from pg_stat_xact_user_tables where schemaname = current_schema and relname = ${table}`
      return row!.n
    }
    const before = await count()
    await act(transaction as unknown as Sql)
    return (await count()) - before
  })
}

/** Prunes the log of one partition whose events are all too young to delete. */
async function prune(sql: Sql): Promise<void> {
  const log = new EventLog({
    sql,
    redis,
    prefix: crypto.randomUUID(),
    topic: topics.stockEvents,
    source,
    incarnation: neverRestored,
  })
  const { partition, epoch, seq } = (await leases()).find((it) => it.partition === 1)!
  await log.trim({ partition, epoch, seq, trimmed: seq }, 365)
}

async function lease(sql: Sql): Promise<void> {
  await renewLeases(sql, worker, leaseTtlMs)
  await releaseLeases(sql, worker, [1])
}

/** Reads for a batch about books with rules: heads of queues, copies to take back, and claims of customers. */
const claims = (sql: Sql, size: number) =>
  loadClaims(
    sql,
    [{ bookid: 'wanted', limit: 200 }, ...range(size).map((i) => ({ bookid: `book-${i}`, limit: 2 }))],
    [{ bookid: 'book-1', limit: 3 }],
    [{ bookid: 'wanted', userid: 'u-7' }, ...range(size).map((i) => ({ bookid: `book-${i}`, userid: 'u' }))],
  )

async function expectHot(size: number): Promise<void> {
  // These have a row per partition or process.
  await expectIndexes(hot, lease, { small: ['incarnation', 'mailbox', 'worker'] })
  expect(await expectIndexes(hot, (sql) => decide(sql, size))).toBeGreaterThanOrEqual(2)
  expect(await expectIndexes(hot, (sql) => claims(sql, size))).toBe(1)
  expect(await expectIndexes(hot, refill)).toBe(4)
  await expectIndexes(hot, (sql) => lettersToRedrive(sql, range(partitions)))
}

/** Queries of requests about one book or a few commands. */
async function query(sql: Sql, size: number): Promise<void> {
  const ids = range(size).map(() => crypto.randomUUID())
  await queries.stock(sql, 'book-7')
  await queries.movements(sql, 'book-7', 51, undefined)
  await queries.movements(sql, 'book-7', 51, 50_000)
  await queries.purchase(sql, ids[0]!)
  await queries.purchases(sql, 51, 'book-7', undefined)
  await queries.purchases(sql, 51, 'book-7', ids[0]!)
  await queries.handled(sql, ids)
}

/** Lists of all rows, ordered by key. */
async function list(sql: Sql): Promise<void> {
  for (const after of ['', 'book-7']) {
    await queries.stocks(sql, 51, after)
    await queries.requests(sql, 51, after)
  }
  for (const before of [undefined, crypto.randomUUID()]) await queries.purchases(sql, 51, undefined, before)
}

/** A look of the clock at which something of every kind is due, and one at which nothing is. */
async function look(sql: Sql): Promise<void> {
  for (const graceMs of [0, 3_600_000]) await due.nextDue(sql, graceMs)
  await due.claimExpiries(sql, range(partitions), 0)
  await due.claimLapses(sql, range(partitions))
  await due.claimUntended(sql, range(partitions))
}
const lookAllowed = { walked: ['claim'], small: ['untended'] }

const always = { timeZone: 'UTC', closingTime: '18:00', closedWeekdays: [], closedDates: new Set<string>() }
const backlog = (sql: Sql) => readBacklog(sql, 0, always)
const backlogAllowed = { walked: ['claim', 'book'], small: ['untended'] }

const tables = ['hold', 'event_batch', 'event_subject', 'book', 'command', 'purchase', 'claim']
const many = 300_000
const books = 50_000
const purchases = 200_000
const waiting = 100_000

async function fill(sql: Sql): Promise<void> {
  const uuid = sql`lpad(to_hex(i), 32, '0')::uuid`
  const bookid = sql`'book-' || i % ${books}::int`
  const all = sql`generate_series(1, ${many}::int) i`
  const logged = sql`
    from ${all} join mailbox m on m.partition = i % ${partitions}::int
    cross join lateral (select m.seq + 1 + (i - 1) / ${partitions}::int as at) n`
  await sql`insert into hold select ${uuid}, ${bookid}, 'u', 'held', null from ${all}`
  await sql`
    insert into event_batch (partition, first, seq, time, events)
    select m.partition, at, at, now() - (${many}::int - i) * interval '5 seconds',
      '[{"id":"' || i || '","type":"CopyReserved","subject":"' || ${bookid} || '","data":{}}]'
    ${logged}`
  await sql`insert into event_subject (subject, seq, partition) select ${bookid}, at, m.partition ${logged}`
  await sql`update mailbox set seq = seq + ${many / partitions}::int`
  const some = sql`generate_series(1, ${purchases}::int) i`
  await sql`insert into command select ${uuid}, ${bookid} from ${some}`
  await sql`insert into purchase select ${uuid}, ${bookid}, 1, 'ordered' from ${some}`
  await sql`
    insert into claim (reservationid, bookid, partition, userid, kind, place, since, pickup_by, lapses_at)
    select ${uuid}, ${bookid}, i % ${partitions}::int, 'u', (array['waiting', 'held', 'ready', 'out'])[i % 4 + 1], i, now(),
      case i % 4 when 2 then now() + (i - 5000) * interval '1 minute' end,
      case i % 4 when 0 then now() + (i - 5000) * interval '1 minute' end
    from ${some}`
  await sql`
    insert into claim (reservationid, bookid, partition, userid, kind, place, since)
    select gen_random_uuid(), 'wanted', 0, 'u-' || i, 'waiting', i, now() from generate_series(1, ${waiting}::int) i`
  await sql`
    insert into book (bookid, available, received, requested_at, waiting)
    select 'book-' || i, i % 10, true, case when i % 10 = 0 then now() end, i % 2
    from generate_series(1, ${books}::int) i on conflict do nothing`
  await sql`
    insert into dead_letter (partition, position, reason, fields)
    select i % ${partitions}::int, i || '-0', 'r', array['a'] from generate_series(1, 1000) i`
}

test.each([1, 200])('with empty tables, for a batch of %i', expectHot)

test('with empty tables, for a look of the clock and for metrics', async () => {
  for (const sql of [hot, unforced]) expect(await expectIndexes(sql, look, lookAllowed)).toBe(5)
  expect(await expectIndexes(unforced, backlog, backlogAllowed)).toBe(1)
})

describe('with 300,000 holds and events', () => {
  beforeAll(() => fillQuickly(hot, tables, fill), 90_000)

  test.each([1, 1_000])('before analyze, for a batch of %i', expectHot)

  describe('after analyze', () => {
    beforeAll(async () => {
      await analyze(hot)
    })

    test.each([1, 1_000])('for a batch of %i', expectHot)

    test.each([1, 1_000])('for requests about %i', async (size) => {
      expect(await expectIndexes(unforced, (sql) => query(sql, size))).toBe(7)
    })

    test('for pruning the log, which reads only the oldest events', async () => {
      const read = await fetched(unforced, 'event_batch', prune)
      expect(read).toBeGreaterThan(0)
      expect(read).toBeLessThanOrEqual(2_000)
    })

    test('for a look of the clock, which reads only the first rows that are due', async () => {
      for (const sql of [hot, unforced]) expect(await expectIndexes(sql, look, lookAllowed)).toBe(5)
      const read = await fetched(unforced, 'claim', look)
      expect(read).toBeGreaterThan(0)
      expect(read).toBeLessThanOrEqual(10_000)
    })

    test('for metrics, which read the longest queues and one row of each index', async () => {
      expect(await expectIndexes(unforced, backlog, backlogAllowed)).toBe(1)
      expect(await fetched(unforced, 'claim', backlog)).toBeLessThanOrEqual(2)
      expect(await fetched(unforced, 'book', backlog)).toBeLessThanOrEqual(queuesMax)
    })

    test('for the claims of a batch, which reads the head of a long queue only', async () => {
      const read = await fetched(hot, 'claim', (sql) => claims(sql, 10))
      expect(read).toBeGreaterThanOrEqual(201)
      expect(read).toBeLessThanOrEqual(300)
    })

    test('for operators, whose reads are counted up to a limit', async () => {
      const allowed = { walked: ['claim', 'book', 'untended', 'dead_letter'], small: ['mailbox', 'untended'] }
      expect(await expectIndexes(unforced, (sql) => backlogItems(sql, 0, always), allowed)).toBe(2)
      await expectIndexes(unforced, (sql) => readPartitions(sql, 10), allowed)
      expect(await fetched(unforced, 'dead_letter', (sql) => readPartitions(sql, 10))).toBeLessThanOrEqual(
        160,
      )
      await expectIndexes(unforced, (sql) => pageLetters(sql, {}, 51), allowed)
      expect(await fetched(unforced, 'dead_letter', (sql) => pageLetters(sql, {}, 51))).toBeLessThanOrEqual(
        60,
      )
    })

    test('HI1: for the history, which is read by the primary key', async () => {
      const page = (sql: Sql) => forgetPage(sql, lowestId(0), 'ffffffff-0000-0000-0000-000000000000')
      await expectIndexes(unforced, page, { walked: ['hold'], small: ['blocked_hold'] })
    })

    test('for lists of all', async () => {
      expect(await expectIndexes(unforced, list, { walked: ['book', 'purchase'] })).toBe(6)
    })
  })
})
