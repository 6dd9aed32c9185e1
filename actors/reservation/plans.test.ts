/** No statement that runs thousands of times a second reads a table from end to end, empty or with many rows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commit } from '../../streams/commit.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { StockEvent } from '../messages.ts'
import { openDatabase } from '../testing/database.ts'
import { range } from '../testing/eventually.ts'
import { scannedWhole, statementsOf } from '../testing/plans.ts'
import { stockEventConsumer } from './consumer.ts'
import * as store from './store.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
let sql: Sql
beforeAll(async () => {
  database = await openDatabase('reservation', 16)
  sql = database.sql
})
afterAll(() => database[Symbol.asyncDispose]())

const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`

/** Reservations accepted and found, and what stock says of them taken in. */
async function work(sql: Sql, size: number): Promise<void> {
  const rows = range(size).map((i) => ({
    reservationid: crypto.randomUUID(),
    bookid: `book-${i}`,
    userid: 'u',
    partition: i % 16,
    traceparent,
    createdAt: new Date(),
  }))
  await store.insert(sql, rows, 3_000)
  await store.find(sql, rows[0]!.reservationid)
  await store.findMany(
    sql,
    rows.map((it) => it.reservationid),
  )
  await store.cancel(sql, rows[0]!.reservationid, traceparent, 3_000)

  const events = rows.flatMap(({ reservationid, bookid, userid }): StockEvent[] => [
    { type: 'CopyReserved', bookid, version: 2, available: 1, held: 1, reservationid, userid },
    {
      type: 'CopiesReceived',
      bookid: `${bookid}-new`,
      version: 1,
      available: 1,
      held: 0,
      qty: 1,
      title: '',
      author: '',
      isbn: '',
    },
  ])
  const handler = stockEventConsumer({ sql, committed() {} })
  const batch = events.map((message, i) => ({
    partition: i % 16,
    position: '1-0',
    envelope: {} as never,
    message,
  }))
  const { writes, results } = await handler.handle(batch)
  const advances = range(16).map((partition) => ({
    partition,
    epoch: 0,
    from: '0-0',
    to: '0-0',
    count: 0,
    seq: 0,
  }))
  await commit(sql, { advances, events: [], letters: [], redriven: [], writes, results })
}

async function expectIndexes(size: number): Promise<void> {
  const statements = await statementsOf(sql, (noting) => work(noting, size))
  expect(statements).toHaveLength(5)
  for (const statement of statements) expect(await scannedWhole(sql, statement), statement.string).toEqual([])
}

const rows = 200_000
const chunk = 50_000

async function fill(): Promise<void> {
  for (let from = 1; from <= rows; from += chunk) {
    const numbers = sql`generate_series(${from}::int, ${from + chunk - 1}::int) i`
    await sql`
      insert into reservation (reservationid, bookid, userid, partition, status)
      select lpad(to_hex(i), 32, '0')::uuid, 'book-' || i, 'u', i % 16, 'Reserved' from ${numbers}`
    await sql`
      insert into book (bookid, title, author, isbn, available, held, version)
      select 'book-' || i, '', '', '', 1, 0, 1 from ${numbers} on conflict do nothing`
  }
}

test.each([1, 200])('with tables that are empty, for a batch of %i', (size) => expectIndexes(size))

describe('with many rows', () => {
  beforeAll(fill, 90_000)

  test.each([1, 500])('before Postgres has taken notice of them, for a batch of %i', (size) =>
    expectIndexes(size),
  )

  test.each([1, 500])('and once it has, for a batch of %i', async (size) => {
    await sql`analyze`
    await expectIndexes(size)
  })
})
