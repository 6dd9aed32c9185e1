/** Hot statements use an index, whether their tables are empty or have 300,000 rows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lowestId } from '../../platform/history.ts'
import { claimKey, pruneKeys } from '../../platform/http/idempotency.ts'
import { commit } from '../../streams/commit.ts'
import { closePostgres, type Sql } from '../../streams/postgres.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { analyze, expectIndexes, fillQuickly, openUnforced, statementsOf } from '../../tests/harness/plans.ts'
import type { StockEvent } from '../messages.ts'
import { admit } from './admission.ts'
import { findBooks } from './books.ts'
import { eraseSome, eraseStanding, openOf } from './erasure.ts'
import { stockEventHandler } from './handler.ts'
import { forgetPage, forgetStandings } from './history.ts'
import * as outbox from './outbox.ts'
import { positionIn, positionsOf } from './queue.ts'
import { block, readStanding, reconcile, standingsAfter, unblock } from './standings.ts'
import * as store from './store.ts'
import { claimBlocks, claimForgotten } from './unanswered.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
let hot: Sql
let unforced: Sql
beforeAll(async () => {
  database = await openDatabase('reservation', 16)
  hot = database.sql
  unforced = openUnforced(hot, 'reservation')
})
afterAll(async () => {
  await closePostgres(unforced)
  await database[Symbol.asyncDispose]()
})

const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`

const rowsOf = (size: number, keyed = false, program?: string): store.Accepted[] =>
  range(size).map((i) => ({
    reservationid: crypto.randomUUID(),
    keyed,
    bookid: `book-${i}`,
    userid: `user-${i}`,
    partition: i % 16,
    traceparent,
    ...(program && { authtype: 'service_account', authid: program }),
  }))

/** Accepts reservations, and commits stock's events about them, of books without and with a queue. */
async function write(sql: Sql, size: number, activeMax = 0): Promise<void> {
  await writeEvents(sql, size, activeMax, ({ reservationid, bookid, userid }) => [
    { type: 'CopyReserved', bookid, version: 2, available: 1, held: 1, reservationid, userid },
  ])
  await writeEvents(sql, size, activeMax, ({ reservationid, bookid, userid }, i) => {
    const its = { bookid, version: 2, available: 1, held: 1, reservationid, userid, place: i + 1 }
    return i % 2 === 0
      ? [{ type: 'ReservationQueued', ...its, position: 1 }]
      : [{ type: 'CopyReserved', ...its, waited: true }]
  })
}

async function writeEvents(
  sql: Sql,
  size: number,
  activeMax: number,
  about: (row: store.Accepted, i: number) => StockEvent[],
): Promise<void> {
  const rows = rowsOf(size)
  await admit(sql, rows, 3_000, activeMax)
  await admit(sql, rowsOf(size, true, 'kiosk'), 3_000, activeMax)
  const events = rows.flatMap((row, i): StockEvent[] => [
    ...about(row, i),
    {
      type: 'CopiesReceived',
      bookid: `${row.bookid}-new`,
      version: 1,
      available: 1,
      held: 0,
      qty: 1,
      title: '',
      author: '',
      isbn: '',
    },
  ])
  const handler = stockEventHandler({ sql, committed() {} })
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

type Actual = { 'Relation Name'?: string; 'Actual Rows': number; 'Actual Loops': number; Plans?: Actual[] }

/** How many rows a plan has read from tables. */
const rowsReadBy = (plan: Actual): number =>
  (plan['Relation Name'] ? plan['Actual Rows'] * plan['Actual Loops'] : 0) +
  (plan.Plans ?? []).reduce((sum, it) => sum + rowsReadBy(it), 0)

async function resend(sql: Sql): Promise<void> {
  await outbox.openLots(sql)
  await outbox.partitionsDue(sql, 16)
  await outbox.claimDue(sql, 3, new Date(), 1_000, 3_000)
}

/** Queries of requests about a few reservations. */
async function query(sql: Sql, size: number): Promise<void> {
  const ids = rowsOf(size).map((it) => it.reservationid)
  await store.find(sql, ids[0]!)
  await store.find(sql, ids[0]!, 'kiosk')
  await store.findMany(sql, ids)
  await store.change(sql, ids[0]!, 'Canceled', traceparent, 3_000)
  await claimKey(sql, { scope: 'POST /reservations', key: crypto.randomUUID(), payload: {}, id: ids[0]! })
  await pruneKeys(sql, 7 * 24, 5_000)
}

/** Further statements while reservations are limited. */
async function limit(sql: Sql, size: number): Promise<void> {
  const [row] = rowsOf(1)
  await store.change(sql, row!.reservationid, 'Canceled', traceparent, 3_000, {}, true)
  await reconcile(
    sql,
    rowsOf(size).map((it) => it.userid),
  )
  await block(sql, 'user-1', { reason: 'overdue', until: null })
  await readStanding(sql, 'user-1', true)
  await unblock(sql, 'user-1')
}

async function expectHot(size: number): Promise<void> {
  expect(await expectIndexes(hot, (sql) => write(sql, size))).toBe(6)
  expect(await expectIndexes(hot, (sql) => write(sql, size, 3))).toBe(6)
  expect(await expectIndexes(hot, (sql) => limit(sql, size))).toBe(5)
  await expectIndexes(hot, (sql) => standingsAfter(sql, '', 500), { walked: ['standing'] })
  // There are only lots of the last few seconds.
  expect(await expectIndexes(hot, resend, { small: ['lot'] })).toBe(3)
}

const tables = ['reservation', 'book', 'book_search', 'idempotency', 'queue', 'queue_tally', 'standing']
const many = 300_000
const books = 50_000
const keys = 200_000
const customers = 100_000
const undecided = 5_000
const waiting = 100_000
/** Of a reservation that waits for the most wanted book. */
const last = 'ffffffff-0000-0000-0000-000000000000'

async function fill(sql: Sql): Promise<void> {
  const uuid = sql`lpad(to_hex(i), 32, '0')::uuid`
  await sql`
    insert into reservation (reservationid, bookid, userid, partition, status)
    select ${uuid}, 'book-' || i % ${books}::int, 'user-' || i % 100000, i % 16, case
      when i > ${many - undecided}::int then 'Requested' when i % 10 = 0 then 'Failed'
      when i % 11 = 0 then 'Canceled' else 'Reserved' end
    from generate_series(1, ${many}::int) i`
  await sql`
    insert into outbox (partition, reservationid, resend_at)
    select i % 16, ${uuid}, now() + (random() - 0.1) * interval '3 seconds'
    from generate_series(${many - undecided + 1}::int, ${many}::int) i`
  await sql`
    insert into book (bookid, title, author, isbn, available, held, version)
    select 'book-' || i, 'title ' || i, 'author', 'isbn', i % 3, 0, 1 from generate_series(1, ${books}::int) i
    on conflict do nothing`
  await sql`truncate queue, queue_tally`
  await sql`
    insert into queue (bookid, place, reservationid)
    select 'wanted', i, ${uuid} from generate_series(1, ${waiting}::int) i`
  await sql`
    insert into queue (bookid, place, reservationid)
    select 'book-' || i % ${books}::int, i, ${uuid} from generate_series(1, ${waiting}::int) i`
  await sql`
    insert into queue_tally (bookid, chunk, waiting)
    select bookid, place >> 8, count(*) from queue group by 1, 2`
  await sql`
    insert into reservation (reservationid, bookid, userid, partition, status, place)
    values (${last}, 'wanted', 'last', 0, 'Waiting', ${waiting - 1})`
  await sql`
    insert into idempotency (key, fingerprint, id, created_at)
    select ${uuid}, '\\x00', ${uuid}, now() - interval '7 days 1 hour' + i * interval '3 seconds'
    from generate_series(1, ${keys}::int) i`
  await sql`
    insert into standing (userid, active)
    select 'user-' || i, array[lpad(to_hex(i), 32, '0')::uuid] from generate_series(1, ${customers}::int) i
    on conflict do nothing`
}

/** Without the space that parts leave that are left out. */
const plain = (statement: string) =>
  statement.replaceAll(/\s+/g, ' ').replaceAll(' )', ')').replaceAll('( ', '(')

test.each([false, true])(
  'without a limit, the statement that accepts knows of none, keyed: %s',
  async (keyed) => {
    const sent = await statementsOf(hot, (sql) => admit(sql, rowsOf(2, keyed), 3_000, 0))
    expect(sent.map((it) => plain(it.string))).toEqual([
      plain(`
    with accepted as (
      insert into reservation (reservationid, bookid, userid, partition, traceparent, created_at, updated_at)
      select reservationid, bookid, userid, partition, traceparent, now(), now()
      from (select reservationid, bookid, userid, partition, traceparent from (
        select unnest($1::uuid[]) as reservationid, unnest($2::text[]) as bookid, unnest($3::text[]) as userid,
          unnest($4::smallint[]) as partition, unnest($5::text[]) as traceparent
      ) as r) as r
      -- A fixed order, so that two processes with the same repeated keys do not deadlock.
      order by reservationid
      ${keyed ? 'on conflict (reservationid) do nothing' : ''}
      returning reservationid
    ), inserted_lot as (
      insert into lot (reservationids, due_at)
      select array_agg(reservationid), clock_timestamp() + $6::interval from accepted
      having count(*) > 0
    )
    select now() as at, ${keyed ? '(select json_agg(reservationid) from accepted)' : 'null::json'} as accepted`),
    ])
  },
)

test.each([1, 200])('with empty tables, for a batch of %i', expectHot)

describe('with 300,000 reservations', () => {
  beforeAll(() => fillQuickly(hot, tables, fill), 90_000)

  test.each([1, 500])('before analyze, for a batch of %i', expectHot)

  describe('after analyze', () => {
    beforeAll(async () => {
      await analyze(hot)
    })

    test.each([1, 500])('for a batch of %i', expectHot)

    test.each([1, 500])('for requests about %i', async (size) => {
      expect(await expectIndexes(unforced, (sql) => query(sql, size))).toBe(6)
    })

    test('for the age of the oldest unconfirmed command', async () => {
      await expectIndexes(unforced, (sql) => outbox.unconfirmedSeconds(sql, 16), { walked: ['outbox'] })
    })

    test('a position among 100,000 reads as many rows as a chunk of places and the tally have', async () => {
      expect(await store.find(unforced, last)).toMatchObject({ queue: { position: waiting - 1, waiting } })
      const [row] = await unforced<{ 'QUERY PLAN': [{ Plan: Actual; 'Execution Time': number }] }[]>`
        explain (analyze, format json) select ${positionIn(unforced)} from reservation r where reservationid = ${last}`
      const [{ Plan: plan, 'Execution Time': ms }] = row!['QUERY PLAN']
      console.log(`Position among ${waiting}: ${ms} ms in Postgres`)
      expect(rowsReadBy(plan)).toBeLessThanOrEqual(1 + waiting / 256 + 1 + 256)
    })

    test('for the positions of streams', async () => {
      await expectIndexes(unforced, (sql) => positionsOf(sql, 'wanted', [7, 300, waiting]))
    })

    const lists = [undefined, '00000000-0000-0000-0000-000000080000'].flatMap((before) =>
      [undefined, 'Requested' as const, 'Reserved' as const].map((status) => ({ before, status, limit: 51 })),
    )

    test('for the active reservations of a customer', async () => {
      for (const program of [undefined, 'kiosk'])
        await expectIndexes(unforced, (sql) => store.listActive(sql, 'user-7', 100, program))
    })

    test.each(lists)('for lists of a user, a book or a program, $status before $before', async (query) => {
      for (const whose of [
        { userid: 'user-7' },
        { bookid: 'book-7' },
        { userid: 'user-7', bookid: 'book-7' },
        { program: 'kiosk' },
        { program: 'kiosk', userid: 'user-7' },
      ]) {
        const list = { userid: undefined, bookid: undefined, ...query, ...whose }
        await expectIndexes(unforced, (sql) => store.list(sql, list))
      }
    })

    test.each(lists)('for the list of all, newest first, $status before $before', async (query) => {
      const list = { userid: undefined, bookid: undefined, ...query }
      await expectIndexes(unforced, (sql) => store.list(sql, list), { walked: ['reservation'] })
    })

    test('HI1: for the history, which is read by the primary key, and for erasures', async () => {
      const page = (sql: Sql) => forgetPage(sql, lowestId(0), last, 30)
      for (const sql of [hot, unforced]) await expectIndexes(sql, page, { walked: ['reservation'] })
      await expectIndexes(hot, forgetStandings, { walked: ['standing'] })
      const erase = async (sql: Sql) => {
        await openOf(sql, 'user-7')
        await eraseSome(sql, 'user-7')
        await eraseStanding(sql, 'user-7')
      }
      expect(await expectIndexes(unforced, erase)).toBe(4)
      await expectIndexes(unforced, (sql) => claimForgotten(sql, 1_000), { small: ['forgotten'] })
      await expectIndexes(unforced, (sql) => claimBlocks(sql, 1_000), { small: ['block_note'] })
    })

    test.each([undefined, true, false])('for the book list, available: %s', async (available) => {
      for (const after of ['', 'book-7']) {
        const books = { q: undefined, available, after, limit: 51 }
        await expectIndexes(unforced, (sql) => findBooks(sql, books), { walked: ['book'] })
        // Common words are found by walking the ids, rare ones by their letters.
        await expectIndexes(unforced, (sql) => findBooks(sql, { ...books, q: 'title' }), {
          walked: ['book_search'],
        })
        await expectIndexes(unforced, (sql) => findBooks(sql, { ...books, q: 'zebra' }))
      }
    })
  })
})
