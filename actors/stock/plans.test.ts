/** No statement that runs thousands of times a second reads a table from end to end, empty or with a million rows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commit } from '../../streams/commit.ts'
import type { Delivery } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { StockCommand } from '../messages.ts'
import { openDatabase } from '../testing/database.ts'
import { range } from '../testing/eventually.ts'
import { scannedWhole, statementsOf } from '../testing/plans.ts'
import { stockActors } from './actor.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
let sql: Sql
beforeAll(async () => {
  database = await openDatabase('stock', 16)
  sql = database.sql
})
afterAll(() => database[Symbol.asyncDispose]())

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
    partition: i % 16,
    position: `${i + 1}-0`,
    envelope: { specversion: '1.0', id: '1', source: '/x', type: 'x', subject: 'x', time: '', data: {} },
    message: commandOf(i),
  }))

/** A batch of every command, loaded, decided and committed, and a letter set aside. */
async function work(sql: Sql, size: number): Promise<void> {
  const handler = stockActors({ sql, now: () => new Date(), committed() {} })
  const batch = deliveries(size)
  const { writes, results } = await handler.handle(batch)
  const advances = range(16).map((partition) => ({
    partition,
    epoch: 0,
    from: '0-0',
    to: '0-0',
    count: 0,
    seq: 0,
  }))
  const letters = [{ partition: 0, position: '1-1', reason: 'r', fields: ['a'] }]
  await commit(sql, { advances, events: [], letters, redriven: [], writes, results })
}

async function expectIndexes(size: number): Promise<void> {
  const statements = await statementsOf(sql, (noting) => work(noting, size))
  expect(statements.length).toBeGreaterThanOrEqual(2)
  for (const statement of statements) expect(await scannedWhole(sql, statement), statement.string).toEqual([])
}

const rows = 1_000_000
const chunk = 100_000

async function fill(): Promise<void> {
  for (let from = 1; from <= rows; from += chunk) {
    const numbers = sql`generate_series(${from}::int, ${from + chunk - 1}::int) i`
    const uuid = sql`lpad(to_hex(i), 32, '0')::uuid`
    await sql`insert into hold select ${uuid}, 'book-' || i, 'u', 'held', null from ${numbers}`
    if (from > rows / 5) continue
    await sql`insert into book (bookid, available) select 'book-' || i, 5 from ${numbers} on conflict do nothing`
    await sql`insert into command select ${uuid}, 'book-' || i from ${numbers}`
    await sql`insert into purchase select ${uuid}, 'book-' || i, 1, 'ordered' from ${numbers}`
  }
}

test.each([1, 200])('with tables that are empty, for a batch of %i', (size) => expectIndexes(size))

describe('with a million rows', () => {
  beforeAll(fill, 90_000)

  test.each([1, 1_000])('before Postgres has taken notice of them, for a batch of %i', (size) =>
    expectIndexes(size),
  )

  test.each([1, 1_000])('and once it has, for a batch of %i', async (size) => {
    await sql`analyze`
    await expectIndexes(size)
  })
})
