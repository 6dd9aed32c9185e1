import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Sql } from '../../streams/postgres.ts'
import { claimDue, type Mark, markAll, overdueSeconds, pruneNotices, renewClaims } from './queue.ts'
import { chat, NotifierDatabase, purchaseRequested, refused, released, reserved } from './testing.ts'

let database: NotifierDatabase
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, customer`
})
afterAll(() => database[Symbol.asyncDispose]())

const claim = (leaseMs = 60_000) => claimDue(database.sql, 'chat', 100, leaseMs)
const mark = (it: { seq: number; attempts: number }, outcome: Mark['outcome'], afterMs = 0): Mark => ({
  seq: it.seq,
  attempts: it.attempts,
  outcome,
  error: outcome === 'sent' ? null : 'because',
  afterMs,
})
const undelivered = async () =>
  (await database.sql<{ count: number }[]>`select count(*) from undelivered`)[0]!.count

test('an outcome that stock tells again makes no second notice', async () => {
  const event = reserved({ reservationid: randomUUID() })
  await database.commit([event])
  await database.commit([event, { ...event, version: 5 }])
  expect(await database.summary()).toEqual(['reserved chat pending'])
  expect(await undelivered()).toBe(1)
})

test('a fenced-out owner notes nothing and withdraws nothing', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await database.commit([released({ reservationid })], { fence: false })
  expect(await database.summary()).toEqual(['reserved chat pending'])
  expect(await claim()).toHaveLength(1)
})

test('a cancellation supersedes a success that was not told yet, also in the same batch', async () => {
  const [a, b] = [randomUUID(), randomUUID()] as const
  await database.commit([reserved({ reservationid: a })])
  await database.commit([
    released({ reservationid: a }),
    reserved({ reservationid: b }),
    released({ reservationid: b }),
  ])
  expect(await database.summary()).toEqual([
    'reserved chat superseded',
    'cancelled chat pending',
    'reserved chat superseded',
    'cancelled chat pending',
  ])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled', 'cancelled'])
})

test('a notice is overdue from when it is due until it is taken in hand, and one that was given up never is', async () => {
  const overdue = () => overdueSeconds(database.sql, 'chat')
  await database.commit([reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })])
  await database.sql`
    update undelivered set due_at = case seq when (select min(seq) from undelivered) then 'infinity' else now() end
      - interval '30 seconds'`
  expect(await overdue()).toBeGreaterThanOrEqual(30)
  expect(await overdueSeconds(database.sql, 'email')).toBe(0)
  expect(await claim()).toHaveLength(1)
  expect(await overdue()).toBe(0)
})

test('a cancellation supersedes a failure that was not told yet', async () => {
  const reservationid = randomUUID()
  await database.commit([refused({ reservationid })])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['failed chat superseded', 'cancelled chat pending'])
})

test('a success that was told stays told when the cancellation comes', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await markAll(database.sql, [mark((await claim())[0]!, 'sent')])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['reserved chat sent', 'cancelled chat pending'])
})

test('a success that comes after its cancellation is never told', async () => {
  const reservationid = randomUUID()
  await database.commit([released({ reservationid })])
  await database.commit([reserved({ reservationid })])
  expect(await database.summary()).toEqual(['cancelled chat pending', 'reserved chat superseded'])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled'])
})

test('a notice rests for its delay', async () => {
  await database.commit([refused({ reservationid: randomUUID() })], { delayMs: 60_000 })
  expect(await claim()).toEqual([])
})

test('what is claimed is not claimed again within the lease, and is after it', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [first] = await claim()
  expect(first).toMatchObject({ kind: 'reserved', userid: 'test1', bookid: '1', attempts: 1 })
  expect(await claim()).toEqual([])
  await database.sql`update undelivered set due_at = now()`
  const [second] = await claim()
  expect(second).toMatchObject({ noticeid: first!.noticeid, attempts: 2 })
})

test('a claim that is renewed lasts anew, one that was lost stays lost', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [claimed] = await claim(0)
  await renewClaims(database.sql, [claimed!], 60_000)
  expect(await claim()).toEqual([])
  await renewClaims(database.sql, [claimed!], 0)
  const [other] = await claim()
  expect(other!.attempts).toBe(2)
  await renewClaims(database.sql, [claimed!], 0)
  expect(await claim()).toEqual([])
})

test('two dispatchers never claim the same notice', async () => {
  await database.commit(Array.from({ length: 200 }, () => reserved({ reservationid: randomUUID() })))
  const claims = await Promise.all(
    Array.from({ length: 8 }, () => claimDue(database.sql, 'chat', 40, 60_000)),
  )
  const seqs = claims.flat().map((it) => it.seq)
  expect(new Set(seqs).size).toBe(seqs.length)
})

test('a claim that ran out marks nothing but what it told', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [stale] = await claim(0)
  const [fresh] = await claim()
  await markAll(database.sql, [mark(stale!, 'failed')])
  expect(await database.summary()).toEqual(['reserved chat pending'])
  await markAll(database.sql, [mark(stale!, 'sent')])
  expect(await database.summary()).toEqual(['reserved chat sent'])
  await markAll(database.sql, [mark(fresh!, 'retry')])
  expect(await database.summary()).toEqual(['reserved chat sent'])
  expect(await undelivered()).toBe(0)
})

test('a notice that was superseded on its way says that it was told, or stays superseded when it was not', async () => {
  const [a, b] = [randomUUID(), randomUUID()] as const
  await database.commit([reserved({ reservationid: a }), reserved({ reservationid: b })])
  const [first, second] = await claim()
  await database.commit([released({ reservationid: a }), released({ reservationid: b })])
  await markAll(database.sql, [mark(first!, 'sent'), mark(second!, 'retry')])
  expect((await database.summary()).slice(0, 2)).toEqual(['reserved chat sent', 'reserved chat superseded'])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled', 'cancelled'])
})

test('each outcome leaves its mark', async () => {
  await database.commit(Array.from({ length: 4 }, () => reserved({ reservationid: randomUUID() })))
  const [a, b, c, d] = await claim()
  await markAll(database.sql, [
    mark(a!, 'sent'),
    mark(b!, 'retry', 60_000),
    mark(c!, 'failed'),
    mark(d!, 'deferred'),
  ])
  expect((await database.told()).map((it) => [it.status, it.attempts, it.last_error])).toEqual([
    ['sent', 1, null],
    ['pending', 1, 'because'],
    ['failed', 1, 'because'],
    ['pending', 0, 'because'],
  ])
  expect((await claim()).map((it) => [it.seq, it.attempts])).toEqual([[d!.seq, 1]])
})

test('a notice that was given up is not withdrawn by a cancellation', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await markAll(database.sql, [mark((await claim())[0]!, 'failed')])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['reserved chat failed', 'cancelled chat pending'])
})

test('notices past their retention are forgotten, younger ones are kept', async () => {
  await database.commit([reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })])
  await database.sql`update notice set created_at = now() - interval '91 days' where kind = 'reserved'`
  // On the console and in chat.
  expect(await pruneNotices(database.sql, 90, 100)).toBe(2)
  expect(await database.summary()).toEqual(['failed chat pending'])
  expect(await undelivered()).toBe(1)
})

test('withdrawing and marking at once wait for each other and never in a circle', async () => {
  const ids = Array.from({ length: 100 }, () => randomUUID())
  await database.commit(ids.map((reservationid) => reserved({ reservationid })))
  const claimed = await claim()
  await Promise.all([
    database.commit(
      ids.toReversed().map((reservationid) => released({ reservationid })),
      { reach: chat },
    ),
    markAll(
      database.sql,
      claimed.map((it) => mark(it, 'sent')),
    ),
    markAll(
      database.sql,
      claimed.toReversed().map((it) => mark(it, 'sent')),
    ),
  ])
  const reservedOnes = (await database.summary()).filter((it) => it.startsWith('reserved'))
  expect(new Set(reservedOnes)).toEqual(new Set(['reserved chat sent']))
})

test('the hot statements take the indexes, also while the tables are known to be small', async () => {
  await using fresh = await NotifierDatabase.create({ connections: 1 })
  const { sql } = fresh
  // A planner that knows how few rows there are would rather scan them, and keep that plan when there are millions.
  await fresh.commit([reserved({ reservationid: randomUUID() })])
  await sql`analyze notice, undelivered, customer`
  // Building an index counts as a scan too, so it is the difference that tells.
  const before = await scans(sql)
  const events = [reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })]
  for (const event of [...events, released({ reservationid: randomUUID() })]) {
    await fresh.commit([event])
    const claimed = await claimDue(sql, 'chat', 10, 60_000)
    await markAll(
      sql,
      claimed.map((it) => mark(it, 'sent')),
    )
  }
  expect(await scans(sql)).toEqual(before)
})

async function scans(sql: Sql): Promise<Record<string, number>> {
  await sql`select pg_stat_force_next_flush()`
  const rows = await sql<{ relname: string; seq_scan: number }[]>`
    select relname, seq_scan from pg_stat_user_tables where relname in ('notice', 'undelivered', 'customer')`
  return Object.fromEntries(rows.map((it) => [it.relname, it.seq_scan]))
}

test('each request to buy is told, also when the book did not change between two', async () => {
  await database.commit([purchaseRequested()])
  await database.commit([purchaseRequested()])
  expect(await database.summary()).toEqual(Array(2).fill('purchase-requested chat pending'))
})
