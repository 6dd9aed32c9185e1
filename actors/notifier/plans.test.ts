/** No hot statement reads a table from end to end, empty or with 300,000 notices. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commit } from '../../streams/commit.ts'
import { closePostgres, type Sql } from '../../streams/postgres.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { analyze, expectIndexes, fillQuickly, openUnforced } from '../../tests/harness/plans.ts'
import type { StockEvent } from '../messages.ts'
import { readCustomer, writeCustomer } from './customers/customers.ts'
import { readAttempts } from './delivery/attempts.ts'
import { claimDue, markAll, overdueSeconds, pruneNotices, renewClaims } from './delivery/queue.ts'
import { listAlerts, readNews, recordAlerts } from './operators/alerts.ts'
import { readBacklog } from './operators/backlog.ts'
import { listNotices, readNotice, retryNotice, suppressNotice } from './operators/notices.ts'
import { alertFiring, alertsOf } from './operators/testing.ts'
import { statuses } from './plan/notice.ts'
import {
  everybody,
  monday,
  ordered,
  purchaseRequested,
  queue,
  received,
  refused,
  released,
  reserved,
} from './plan/testing.ts'
import { contact, mark, NotifierDatabase } from './testing.ts'

const partitions = 4

let database: NotifierDatabase
let hot: Sql
let unforced: Sql
beforeAll(async () => {
  database = await NotifierDatabase.create()
  hot = database.sql
  unforced = openUnforced(hot, 'notifier')
})
afterAll(async () => {
  await closePostgres(unforced)
  await database[Symbol.asyncDispose]()
})

const eventOf = (i: number, rules: boolean): StockEvent => {
  const whose = { reservationid: randomUUID(), userid: `user-${i}`, bookid: `book-${i}` }
  const events = [
    reserved(whose),
    refused(whose),
    released(whose),
    purchaseRequested(),
    ordered(whose.bookid),
    received('Momo', { bookid: whose.bookid }),
    ...(rules
      ? [
          queue.queued(whose),
          queue.shelved(whose),
          queue.extended(whose, monday),
          queue.handedOver(whose),
          queue.lapsed(whose),
          purchaseRequested(1, whose.bookid, 3),
        ]
      : []),
  ]
  return events[i % events.length]!
}

/**
 * Handles and commits a batch of every event.
 * @param afterRefusal as if Postgres had refused it before.
 * @param rules whether some of them are of books with rules.
 */
async function commitBatch(sql: Sql, size: number, afterRefusal: boolean, rules: boolean): Promise<void> {
  const batch = range(size).map((i) => ({
    partition: i % partitions,
    position: '1-0',
    envelope: { id: randomUUID() } as never,
    message: eventOf(i, rules),
  }))
  const { writes, results } = await database.handler({ sql, routing: everybody }).handle(batch, afterRefusal)
  const advances = range(partitions).map((partition) => ({
    partition,
    epoch: 0,
    from: '0-0',
    to: '0-0',
    count: 0,
    seq: 0,
  }))
  await commit(sql, { advances, events: [], letters: [], redriven: [], writes, results })
}

const outcomes = ['sent', 'retry', 'fallback', 'failed', 'deferred', 'superseded'] as const

/** Claims notices, renews the claims and marks each outcome, also for a notice that has left the queue. */
async function dispatch(sql: Sql, size: number): Promise<void> {
  const claimed = await claimDue(sql, 'chat', size, 10_000)
  expect(claimed).not.toEqual([])
  await renewClaims(sql, claimed, 10_000)
  const marks = claimed.map((it, i) =>
    mark(it, outcomes[i % outcomes.length]!, i % outcomes.length === 2 ? { next: 'email' } : {}),
  )
  await markAll(sql, [mark({ seq: 0, attempts: 1 }, 'sent'), ...marks], { channels: ['sms'], gatherMs: 0 })
}

/** Retries and suppresses one notice, and records alerts. */
async function operate(sql: Sql): Promise<void> {
  const [{ noticeid } = { noticeid: randomUUID() }] = await hot<{ noticeid: string }[]>`
    select n.noticeid from undelivered u join notice n on n.seq = u.seq where u.due_at = 'infinity' limit 1`
  await retryNotice(sql, noticeid, 'email')
  await suppressNotice(sql, noticeid)
  await readAttempts(sql, 7)
  const alerts = range(40).map((i) => alertFiring({ fingerprint: String(i) }))
  await readNews(sql, alerts)
  await recordAlerts(sql, alertsOf(alerts), { noticeid: randomUUID(), channels: ['sms'] })
}

async function expectHot(size: number): Promise<void> {
  // There are only four partitions.
  for (const afterRefusal of [false, true])
    for (const rules of [false, true]) {
      const act = (sql: Sql) => commitBatch(sql, size, afterRefusal, rules)
      expect(await expectIndexes(hot, act, { small: ['mailbox'] })).toBe(4)
    }
  expect(await expectIndexes(hot, (sql) => dispatch(sql, size))).toBe(4)
}

const tables = ['notice', 'undelivered', 'attempt', 'alert', 'customer', 'book']
const many = 300_000
const undelivered = 5_000

async function fill(sql: Sql): Promise<void> {
  const uuid = sql`lpad(to_hex(i), 32, '0')::uuid`
  await sql`
    insert into notice (
      noticeid, kind, channel, bookid, userid, reservationid, status, attempts, created_at, superseded_at
    )
    select ${uuid}, 'reserved', (array['console', 'email', 'chat'])[1 + i % 3], 'book-' || i % 50000,
      'user-' || i % 100000, ${uuid}, case
        when i > ${many - undelivered}::int then 'pending' when i % 1000 = 0 then 'failed'
        when i % 100 = 1 then 'superseded' else 'sent' end,
      1, now() - (${many}::int - i) * interval '5 seconds', case when i % 100 = 1 then now() end
    from generate_series(1, ${many}::int) i`
  await sql`
    insert into undelivered (seq, channel, due_at)
    select seq, channel, case when status = 'failed' then 'infinity' else now() + (random() - 0.5) * interval '1 minute' end
    from notice where status in ('pending', 'failed') on conflict do nothing`
  await sql`
    insert into attempt (seq, attempt, channel, outcome)
    select seq, 1, channel, 'sent' from notice where channel <> 'console' and seq % 5 = 0
    on conflict do nothing`
  await sql`
    insert into alert (fingerprint, status, starts_at, told_at)
    select md5(i::text), 'firing', now(), now() - i * interval '1 minute' from generate_series(1, 50000) i`
  await sql`
    insert into book (bookid, title, author, version)
    select 'book-' || i, 'Momo', 'M. Ende', 1 from generate_series(0, 49999) i on conflict do nothing`
  await sql`insert into customer (userid, email) select 'user-' || i, 'a@b.c' from generate_series(1, 50000) i`
}

test.each([1, 200])('with tables that are empty, for a batch of %i', expectHot)

describe('with 300,000 notices', () => {
  beforeAll(() => fillQuickly(hot, tables, fill), 90_000)

  test.each([1, 500])('before Postgres has statistics, for a batch of %i', expectHot)

  describe('once it has statistics', () => {
    beforeAll(async () => {
      await analyze(hot)
    })

    test.each([1, 500])('for a batch of %i', expectHot)

    test('for one notice and one customer', async () => {
      await expectIndexes(unforced, (sql) => readNotice(sql, randomUUID()))
      await expectIndexes(unforced, operate)
      await expectIndexes(unforced, (sql) => readCustomer(sql, 'user-7'))
      await expectIndexes(unforced, (sql) => writeCustomer(sql, 'user-7', contact({ email: 'a@b.c' })))
    })

    const lists = [undefined, many / 2].flatMap((before) =>
      [undefined, ...statuses].map((status) => ({ before, status, limit: 51 })),
    )

    test.each(lists)('for the list of a user, $status before $before', async ({ before, status, limit }) => {
      const query = { limit, ...(before ? { before } : {}), ...(status ? { status } : {}) }
      await expectIndexes(unforced, (sql) => listNotices(sql, { ...query, userid: 'user-7' }))
    })

    test.each(lists)('for the list of all, newest first, $status before $before', async (list) => {
      const { before, status, limit } = list
      const query = { limit, ...(before ? { before } : {}), ...(status ? { status } : {}) }
      await expectIndexes(unforced, (sql) => listNotices(sql, query), { walked: ['notice', 'undelivered'] })
    })

    test.each(['alert', 'purchase-requested'] as const)('for the list of rare notices: %s', async (kind) => {
      await expectIndexes(unforced, (sql) => listNotices(sql, { kind, limit: 51 }))
    })

    test('for the list of alerts, and the backlog', async () => {
      await expectIndexes(unforced, (sql) => listAlerts(sql, undefined, 51), { walked: ['alert'] })
      const allowed = { walked: ['undelivered'] }
      expect(await expectIndexes(unforced, (sql) => readBacklog(sql, ['chat', 'email']), allowed)).toBe(2)
    })

    test('for how long the first has been due', async () => {
      await expectIndexes(unforced, (sql) => overdueSeconds(sql, 'chat'))
    })

    test('for the oldest, which are deleted', async () => {
      // A thousand are looked up among the few undelivered ones, so reading all of these is faster.
      const allowed = { walked: ['notice'], small: ['undelivered'] }
      await expectIndexes(unforced, (sql) => pruneNotices(sql, 30, 1_000), allowed)
    })
  })
})
