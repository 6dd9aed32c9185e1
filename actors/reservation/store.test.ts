import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BusyLines } from '../../platform/busy-lines.ts'
import { History, historyPageMax, lowestId } from '../../platform/history.ts'
import { erasedMax } from '../../platform/http/erase.ts'
import { createLog } from '../../platform/log.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { uuidv7 } from '../../platform/uuid.ts'
import { commit } from '../../streams/commit.ts'
import type { Envelope } from '../../streams/envelope.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { type OpenDatabase, openDatabase } from '../../tests/harness/database.ts'
import type { StockEvent } from '../messages.ts'
import { Acceptance } from './acceptance.ts'
import type { Answer } from './answer.ts'
import { findBooks, updateCounts, upsertBooks } from './books.ts'
import { commandOf } from './commands.ts'
import { applyVerdicts } from './composed.ts'
import { eraseSome, eraseStanding, openOf } from './erasure.ts'
import { type Changed, stockEventHandler } from './handler.ts'
import { forgetPage, forgetStandings } from './history.ts'
import * as outbox from './outbox.ts'
import { applySteps, positionIn, positionsOf } from './queue.ts'
import { active, commandIn, type Position, statuses } from './reservation.ts'
import { block, unblock } from './standings.ts'
import * as store from './store.ts'
import { after as afterOne, anyEvent, anyQueue, inBatches, type Row, rowIn } from './testing.ts'
import { pausesS, Unanswered } from './unanswered.ts'

let database: OpenDatabase
let sql: Sql
beforeAll(async () => {
  database = await openDatabase('reservation', 2)
  sql = database.sql
})
afterAll(() => database[Symbol.asyncDispose]())

const log = createLog('reservation', 'silent')
const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`

async function accepted(bookid = 'b'): Promise<string> {
  const reservationid = crypto.randomUUID()
  await store.insert(
    sql,
    [{ reservationid, keyed: false, bookid, userid: 'u', partition: 0, traceparent }],
    3_000,
  )
  return reservationid
}

let position = 0
let drifts = 0
let changed = (_: Changed[]) => {}
const handler = () =>
  stockEventHandler({
    sql,
    committed: (them) => changed(them),
    drifted: (count) => (drifts += count),
    nowMs: () => nowMs,
  })
let nowMs = 0
let handling: ReturnType<typeof handler> | undefined

/** Handles and commits events as the worker does, as one batch. */
const handle = (...events: StockEvent[]) => handleBatch(events)

/** @param redriven the sequence number of dead letters that are redriven. */
async function handleBatch(events: StockEvent[], redriven?: number): Promise<Changed[]> {
  const from = `${position}-0`
  const to = `${++position}-0`
  let changes: Changed[] = []
  changed = (them) => (changes = them)
  handling ??= handler()
  const batch = events.map((message) => ({
    partition: 0,
    position: redriven === undefined ? to : `${redriven}-0`,
    envelope: { traceparent } as never,
    message,
    ...(redriven !== undefined && { redriven: true as const }),
  }))
  const { writes, results, committed } = await handling.handle(batch, redriven !== undefined)
  const advances = [{ partition: 0, epoch: 0, from, to, count: events.length, seq: 0 }]
  const done = await commit(sql, { advances, events: [], letters: [], redriven: [], writes, results })
  committed?.(done.partitions, done.results)
  return changes
}

const after = { bookid: 'b', version: 1, available: 0, held: 1 }
const reserved = (reservationid: string): StockEvent => ({
  type: 'CopyReserved',
  ...after,
  reservationid,
  userid: 'u',
})
const refused = (reservationid: string): StockEvent => ({
  type: 'ReservationRefused',
  ...after,
  reservationid,
  userid: 'u',
  reason: 'OutOfStock',
})
const released = (reservationid: string): StockEvent => ({
  type: 'CopyReleased',
  ...after,
  reservationid,
  userid: 'u',
})

test('reservations that are decided together stay in their pages, so that no index changes', async () => {
  const ids = Array.from({ length: 300 }, () => uuidv7(Date.now()))
  const its = { keyed: false, bookid: 'b', userid: 'u', partition: 0, traceparent }
  await store.insert(
    sql,
    ids.map((reservationid) => ({ ...its, reservationid })),
    3_000,
  )
  const pages = () => sql`
    select reservationid, (ctid::text::point)[0] as page from reservation
    where reservationid = any(${ids}::uuid[]) order by 1`
  const before = await pages()
  expect(new Set(before.map((it) => it.page)).size).toBeGreaterThan(5)
  await handle(...ids.map(reserved))
  expect(await pages()).toEqual(before)
})

type Act = 'cancel' | 'reserved' | 'refused' | 'released'
const event = { reserved, refused, released }

async function end(reservationid: string) {
  const [row] = await sql`select status, reason, status <> 'Requested'
        and not exists (select from outbox o where o.reservationid = r.reservationid) as confirmed
      from reservation r where reservationid = ${reservationid}`
  return [row!.status, row!.reason, row!.confirmed ? 'confirmed' : 'unconfirmed']
}

test.each<[Act[], (string | null)[]]>([
  [[], ['Requested', null, 'unconfirmed']],
  [['reserved'], ['Reserved', null, 'confirmed']],
  [['refused'], ['Failed', 'OutOfStock', 'confirmed']],
  [['cancel'], ['Canceled', null, 'unconfirmed']],
  // A repeated answer changes nothing.
  [
    ['reserved', 'reserved'],
    ['Reserved', null, 'confirmed'],
  ],
  [
    ['refused', 'refused'],
    ['Failed', 'OutOfStock', 'confirmed'],
  ],
  // Canceled after it was decided: confirmed by the release.
  [
    ['reserved', 'cancel'],
    ['Canceled', null, 'unconfirmed'],
  ],
  [
    ['reserved', 'cancel', 'reserved'],
    ['Canceled', null, 'unconfirmed'],
  ],
  [
    ['reserved', 'cancel', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  [
    ['reserved', 'cancel', 'released', 'reserved'],
    ['Canceled', null, 'confirmed'],
  ],
  // Canceled while undecided: a late outcome does not revive it.
  [
    ['cancel', 'reserved'],
    ['Canceled', null, 'unconfirmed'],
  ],
  [
    ['cancel', 'reserved', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  [
    ['cancel', 'refused'],
    ['Canceled', null, 'unconfirmed'],
  ],
  [
    ['cancel', 'refused', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  [
    ['cancel', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  [
    ['cancel', 'released', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  [
    ['cancel', 'cancel', 'released'],
    ['Canceled', null, 'confirmed'],
  ],
  // A failed reservation cannot be canceled.
  [
    ['refused', 'cancel'],
    ['Failed', 'OutOfStock', 'confirmed'],
  ],
])('%j leads to %j', async (acts, expected) => {
  // One event per batch, or consecutive events in one batch: the result is the same.
  for (const together of [false, true]) {
    const reservationid = await accepted()
    let batch: StockEvent[] = []
    for (const act of [...acts, 'cancel-none' as const]) {
      if (act !== 'cancel' && act !== 'cancel-none') batch.push(event[act](reservationid))
      if (batch.length > 0 && (!together || act.startsWith('cancel'))) {
        await handle(...batch)
        batch = []
      }
      if (act === 'cancel') await store.change(sql, reservationid, 'Canceled', traceparent, 3_000)
    }
    expect(await end(reservationid)).toEqual(expected)
  }
})

test('events of any type, in any batches, lead to where they lead one by one, from every status', async () => {
  const own = statuses.map((status) => ({
    status,
    reservationid: crypto.randomUUID(),
    bookid: 'b',
    userid: 'u',
  }))
  const interleaved = fc
    .array(fc.oneof(...own.map(anyEvent)), { minLength: 10, maxLength: 60 })
    .chain((events) => fc.tuple(fc.constant(events), fc.array(fc.integer({ min: 1, max: 20 }))))
  const rowOf = async (reservationid: string) => {
    const [row] = await sql<(Row & { confirmed: boolean })[]>`
      select status, reason, other, place, to_json(pickup_by) as pickup_by,
        not exists (select from outbox o where o.reservationid = r.reservationid) as confirmed
      from reservation r where reservationid = ${reservationid}`
    const { confirmed, pickup_by, ...rest } = row!
    return { ...rest, pickup_by: pickup_by && new Date(pickup_by).toISOString(), confirmed }
  }
  await fc.assert(
    fc.asyncProperty(interleaved, async ([events, sizes]) => {
      await deleteAll()
      for (const { status, reservationid, bookid, userid } of own) {
        const row = { reservationid, keyed: false, bookid, userid, partition: 0, traceparent }
        await store.insert(sql, [row], 3_000)
        await sql`update reservation set status = ${status} where reservationid = ${reservationid}`
        await sql`insert into outbox (partition, reservationid, resend_at) values (0, ${reservationid}, now())`
      }
      for (const batch of inBatches(events, sizes)) await handle(...batch)
      for (const { status, reservationid } of own) {
        const its = events.filter((it) => 'reservationid' in it && it.reservationid === reservationid)
        let row = rowIn(status)
        let isMoved = false
        for (const event of its) {
          const next = afterOne(row, event)
          isMoved ||= next !== row
          row = next
        }
        expect(await rowOf(reservationid)).toEqual({ ...row, confirmed: isMoved })
      }
    }),
    { numRuns: 40 },
  )
})

test('an event that arrives while the customer cancels does not revive the reservation', async () => {
  const reservationid = await accepted()
  await using other = database.connection()
  await other`begin`
  await other`update reservation set status = 'Canceled' where reservationid = ${reservationid}`
  const handled = handle({
    type: 'ReservationQueued',
    ...after,
    reservationid,
    userid: 'u',
    place: 1,
    position: 1,
  })
  await eventually(async () => {
    const [{ count } = { count: 0 }] = await sql<{ count: number }[]>`
      select count(*) from pg_locks where not granted and locktype = 'transactionid'`
    return count > 0
  })
  await other`commit`
  expect(await handled).toEqual([])
  expect(await end(reservationid)).toEqual(['Canceled', null, 'confirmed'])
})

test('a cancellation of a reservation that waits is confirmed with its own time, unless the copy was handed over', async () => {
  const [waited, handed] = [await accepted(), await accepted()]
  const canceled = (await store.change(sql, waited, 'Canceled', traceparent, 3_000))!
  await store.change(sql, handed, 'Canceled', traceparent, 3_000)
  const changes = await handle({ ...released(waited), place: 3 } as StockEvent, {
    type: 'CopyHandedOver',
    ...after,
    reservationid: handed,
    userid: 'u',
  })
  const at = canceled.updated_at.toISOString()
  expect(changes.find((it) => it.reservationid === waited)).toMatchObject({
    status: 'Canceled',
    decided: true,
    updatedAt: at,
    seconds: undefined,
  })
  expect(changes.find((it) => it.reservationid === handed)).toMatchObject({
    status: 'Collected',
    decided: false,
  })
  expect(await end(waited)).toEqual(['Canceled', null, 'confirmed'])
  expect(await end(handed)).toEqual(['Collected', null, 'confirmed'])
})

test('a reservation is decided once; later changes are reported as such', async () => {
  const reservationid = await accepted()
  const its = { ...after, reservationid, userid: 'u' }
  const pickupBy = '2026-12-01T09:00:00.000Z'
  const later = '2026-12-05T09:00:00.000Z'
  const changes = [
    await handle({ type: 'ReservationQueued', ...its, place: 1, position: 1 }),
    await handle(
      { type: 'CopyReserved', ...its, place: 1, waited: true },
      { type: 'CopyShelved', ...its, pickupBy },
    ),
    await handle({ type: 'PickupExtended', ...its, pickupBy: later }),
    await handle({ type: 'CopyHandedOver', ...its }),
  ].flat()
  const seconds = expect.any(Number)
  expect(changes).toMatchObject([
    { status: 'Waiting', decided: true, moved: true, seconds, pickupBy: null },
    { status: 'Ready', decided: false, moved: true, seconds: undefined, pickupBy },
    { status: 'Ready', decided: false, moved: false, seconds: undefined, pickupBy: later },
    { status: 'Collected', decided: false, moved: true, seconds: undefined },
  ])
})

test('a reservation that another one of its customer made fail is reported with it', async () => {
  const reservationid = await accepted()
  const other = await accepted()
  const refused = { ...after, reservationid, userid: 'u', reason: 'AlreadyReserved', other } as const
  const changes = await handle({ type: 'ReservationRefused', ...refused })
  expect(changes).toMatchObject([{ status: 'Failed', reason: 'AlreadyReserved', other }])
})

test('the table accepts the statuses of the state machine and no others', async () => {
  const [check] = await sql<{ definition: string }[]>`
    select pg_get_constraintdef(oid) as definition from pg_constraint
    where conrelid = 'reservation'::regclass and contype = 'c'`
  const named = Array.from(check!.definition.matchAll(/'(\w+)'/g), ([, status]) => status)
  expect(named.sort()).toEqual(statuses.toSorted())
})

test('the commit reports the reservations that changed and no others', async () => {
  const [one, two, three] = [await accepted(), await accepted(), await accepted()]
  const changes = await handle(reserved(one), refused(two), reserved('00000000-0000-4000-8000-000000000000'))
  expect(changes.map(({ reservationid, status, reason }) => [reservationid, status, reason]).sort()).toEqual(
    [
      [one, 'Reserved', null],
      [two, 'Failed', 'OutOfStock'],
    ].sort(),
  )
  expect(changes[0]).toMatchObject({ bookid: 'b', traceparent })
  expect(changes[0]!.seconds).toBeGreaterThan(0)
  const { updated_at } = (await store.find(sql, one))!
  expect(changes.map((it) => it.updatedAt)).toEqual([updated_at, updated_at].map((it) => it.toISOString()))
  expect((await handle(reserved(one), reserved(three))).map((it) => it.reservationid)).toEqual([three])
})

test('a confirmed cancellation is reported with the time of the cancellation', async () => {
  const [held, never] = [await accepted(), await accepted()]
  await handle(reserved(held))
  const canceled = (await store.change(sql, held, 'Canceled', traceparent, 3_000))!
  const changes = await handle(released(held), reserved(never))
  expect(changes.map((it) => [it.reservationid, it.status]).sort()).toEqual(
    [
      [held, 'Canceled'],
      [never, 'Reserved'],
    ].sort(),
  )
  expect(changes.find((it) => it.status === 'Canceled')).toMatchObject({
    bookid: 'b',
    reason: null,
    traceparent,
    updatedAt: canceled.updated_at.toISOString(),
    seconds: undefined,
  })
})

test('inserting a reservation again leaves the first one as it was', async () => {
  const reservationid = await accepted()
  await handle(reserved(reservationid))
  const row = {
    reservationid,
    keyed: true,
    bookid: 'other',
    userid: 'x',
    partition: 0,
    traceparent,
  }
  const another = { ...row, reservationid: crypto.randomUUID(), keyed: false }
  const { accepted: added } = await store.insert(sql, [row, another], 3_000)
  expect(added).toEqual(new Set([another.reservationid]))
  expect(await store.find(sql, reservationid)).toMatchObject({ bookid: 'b', userid: 'u', status: 'Reserved' })
})

test('canceling returns the reservation once', async () => {
  const reservationid = await accepted()
  expect(await store.change(sql, reservationid, 'Canceled', traceparent, 3_000)).toMatchObject({
    status: 'Canceled',
  })
  expect(await store.change(sql, reservationid, 'Canceled', traceparent, 3_000)).toBeUndefined()
})

test.each(statuses)('%s: a request can cancel it if it waits for a copy or holds one', async (status) => {
  const reservationid = await accepted()
  await sql`update reservation set status = ${status} where reservationid = ${reservationid}`
  const why = { cause: 'CustomerAsked', note: '전화로 취소' } as const
  const canceled = await store.change(sql, reservationid, 'Canceled', traceparent, 3_000, why)
  expect(canceled).toEqual(
    active.includes(status) ? expect.objectContaining({ status: 'Canceled', ...why }) : undefined,
  )
})

test('a command is sent again with what the customer said', async () => {
  await deleteAll()
  const rows = [undefined, true, false].map((wait) => ({
    reservationid: crypto.randomUUID(),
    keyed: false,
    bookid: 'b',
    userid: 'u',
    wait,
    partition: 0,
    traceparent,
  }))
  await store.insert(sql, rows, 3_000)
  await store.change(sql, rows[0]!.reservationid, 'Canceled', traceparent, 3_000, {
    cause: 'Staff',
    note: 'damaged',
  })
  await makeLotsDue()
  await sql`update outbox set resend_at = '-infinity'`
  const due = await outbox.claimDue(sql, 0, new Date(), 10, 3_000)
  const sent = new Map(
    due.map((row) => [row.reservationid, commandOf(commandIn[row.status]!, row, new Date()).data]),
  )
  expect(rows.map(({ reservationid }) => sent.get(reservationid))).toEqual(
    [{ cause: 'Staff', note: 'damaged' }, {}, { wait: false }].map((said, i) => ({
      bookid: 'b',
      reservationid: rows[i]!.reservationid,
      userid: 'u',
      ...said,
    })),
  )
})

const deleteAll = () => sql`with r as (delete from reservation), l as (delete from lot) delete from outbox`

async function makeLotsDue(): Promise<void> {
  await sql`update lot set due_at = clock_timestamp() - interval '1 second'`
  await outbox.openLots(sql)
}

async function lots(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*) from lot`
  return row!.count
}

test('an unconfirmed command is as old as its reservation, or as the cancellation', async () => {
  const age = () => outbox.unconfirmedSeconds(sql, 1)
  await deleteAll()
  expect(await age()).toBeUndefined()
  const reservationid = await accepted()
  await sql`update reservation set created_at = created_at - interval '1 hour', updated_at = created_at - interval '1 hour'`
  await accepted()
  await makeLotsDue()
  expect(await age()).toBeGreaterThanOrEqual(3_600)
  await store.change(sql, reservationid, 'Canceled', traceparent, 3_000)
  expect(await age()).toBeLessThan(60)
})

test('however often Redis loses a command, it is resent within the maximum wait', async () => {
  await deleteAll()
  await accepted()
  await makeLotsDue()
  for (let losses = 0; losses < 8; losses++) {
    await sql`update outbox set resend_at = '-infinity'`
    expect(await outbox.claimDue(sql, 0, new Date(), 10, 3_000)).toHaveLength(1)
    const [row] = await sql<{ ms: number }[]>`
      select extract(epoch from resend_at - clock_timestamp())::float * 1000 as ms from outbox`
    expect(row!.ms).toBeLessThanOrEqual(outbox.resendWaitMaxMs)
  }
})

test('with a resendAfterMs above the maximum wait, later waits are as long as the first', async () => {
  await deleteAll()
  await accepted()
  await makeLotsDue()
  await outbox.claimDue(sql, 0, new Date(), 10, 60_000)
  const [row] = await sql<{ ms: number }[]>`
    select extract(epoch from resend_at - clock_timestamp())::float * 1000 as ms from outbox`
  expect(row!.ms).toBeGreaterThan(50_000)
})

test('only reservations that are undecided when their lot is due enter the outbox, and decided ones leave it', async () => {
  await deleteAll()
  const ids = [await accepted(), await accepted(), await accepted()]
  await handle(reserved(ids[0]!))
  await makeLotsDue()
  const queued = async () =>
    (await sql`select reservationid from outbox`).map((it) => it.reservationid).sort()
  expect(await queued()).toEqual(ids.slice(1).sort())
  // As if it was decided concurrently, after its lot was opened.
  await sql`update reservation set status = 'Failed' where reservationid = ${ids[1]!}`
  const taken = await outbox.claimDue(sql, 0, new Date(), 10, 1_000)
  expect(taken.map((it) => it.reservationid)).toEqual([ids[2]])
  expect(await queued()).toEqual([ids[2]])
})

test('each due command is claimed by one process, and postponed further each time', async () => {
  await deleteAll()
  const ids = [await accepted(), await accepted(), await accepted()]
  await outbox.openLots(sql)
  expect(await lots()).toBe(3)
  await makeLotsDue()
  expect(await lots()).toBe(0)
  const makeDue = () => sql`update outbox set resend_at = clock_timestamp() - interval '1 second'`
  await makeDue()
  expect(await outbox.partitionsDue(sql, 1)).toEqual([{ partition: 0, at: expect.any(Date) }])
  // Another process holds the lock on the first one.
  await using other = database.connection()
  await other`begin`
  await other`select from outbox where reservationid = ${ids[0]!} for update`
  const rest = await outbox.claimDue(sql, 0, new Date(), 10, 1_000)
  expect(rest.map((it) => it.reservationid).sort()).toEqual(ids.slice(1).sort())
  await other`rollback`
  await makeDue()
  const claims = await Promise.all([1, 2].map(() => outbox.claimDue(sql, 0, new Date(), 2, 1_000)))
  expect(
    claims
      .flat()
      .map((it) => it.reservationid)
      .sort(),
  ).toEqual(ids.sort())
  expect(await outbox.claimDue(sql, 0, new Date(), 10, 1_000)).toEqual([])
  const waits = async () => {
    const [row] =
      await sql`select extract(epoch from min(resend_at) - clock_timestamp())::float as s from outbox`
    return Number(row!.s)
  }
  const first = await waits()
  for (const _ of [1, 2, 3]) {
    await makeDue()
    await outbox.claimDue(sql, 0, new Date(), 10, 1_000)
  }
  expect(await waits()).toBeGreaterThan(first * 2)
  await makeDue()
  await handle(reserved(ids[0]!), refused(ids[1]!))
  expect((await outbox.claimDue(sql, 0, new Date(), 10, 1_000)).map((it) => it.reservationid)).toEqual([
    ids[2],
  ])
})

test('the book list follows receipts and counts, and never goes back', async () => {
  const about = { title: 'T', author: 'A', isbn: 'I' }
  const received = (version: number, available: number, more: object = {}): StockEvent => ({
    type: 'CopiesReceived',
    bookid: 'list',
    version,
    available,
    held: 0,
    qty: 1,
    ...about,
    ...more,
  })
  const listed = async () => {
    const books = await findBooks(sql, { q: 'list', available: undefined, after: '', limit: 10 })
    return books.map(({ updated_at: _, ...book }) => book)
  }
  const book = { bookid: 'list', ...about }
  await handle({ ...reserved(crypto.randomUUID()), bookid: 'list', version: 9 })
  expect(await listed()).toEqual([])
  await handle(received(1, 3))
  expect(await listed()).toEqual([{ ...book, available: 3, owned: 3, waiting: 0, version: 1 }])
  const counted = { version: 4, available: 1, out: 3, waiting: 2 }
  await handle({ ...reserved(crypto.randomUUID()), bookid: 'list', ...counted })
  const fourth = { ...book, available: 1, owned: 5, waiting: 2, version: 4 }
  expect(await listed()).toEqual([fourth])
  // Of an event that was never logged (R6).
  await handle({ ...reserved(crypto.randomUUID()), bookid: 'list', ...counted, waiting: 1 })
  expect(await listed()).toEqual([{ ...fourth, waiting: 1 }])
  await handle({ ...reserved(crypto.randomUUID()), bookid: 'list', ...counted })
  await handle(received(2, 5, { title: 'older' }))
  await handle({ ...reserved(crypto.randomUUID()), bookid: 'list', version: 3, available: 7 })
  expect(await listed()).toEqual([fourth])
  await handle(received(5, 2, { title: 'newer' }), {
    ...released(crypto.randomUUID()),
    bookid: 'list',
    version: 6,
    available: 3,
  })
  expect(await listed()).toEqual([
    { ...book, title: 'newer', available: 3, owned: 4, waiting: 0, version: 6 },
  ])
})

/** Positions of all places, and how many wait. */
async function positionsIn(bookid: string, places: number[]): Promise<Position[]> {
  const rows = await sql<{ queue: Position }[]>`
    select ${positionIn(sql)} from (
      select ${bookid} as bookid, 'Waiting' as status, place from unnest(${places}::bigint[]) as p (place)
    ) as r order by place`
  return rows.map((row) => row.queue)
}

const tally = async (bookid: string) => {
  const [row] = await sql<{ waiting: number; kept: number; queued: number }[]>`
    select coalesce(sum(waiting), 0)::int as waiting, count(*)::int as kept,
      (select count(*)::int from queue q where q.bookid = t.bookid) as queued
    from queue_tally t where bookid = ${bookid} group by bookid`
  return row ?? { waiting: 0, kept: 0, queued: 0 }
}

test('positions count those who wait, in whatever batches the events come', async () => {
  let run = 0
  const history = fc.tuple(
    fc.array(fc.integer({ min: 1, max: 15 })),
    fc.nat().chain(() => anyQueue('queue')),
  )
  await fc.assert(
    fc.asyncProperty(history, async ([sizes, acts]) => {
      const bookid = `queue-${run++}`
      drifts = 0
      for (const batch of inBatches(acts, sizes)) {
        await handle(...batch.map(({ event }) => ({ ...event, bookid })))
        const { waiting } = batch.at(-1)!
        expect(await positionsIn(bookid, waiting)).toEqual(
          waiting.map((_, i) => ({ position: i + 1, waiting: waiting.length })),
        )
        const some = waiting.filter((place) => place % 3 > 0)
        expect([...(await positionsOf(sql, bookid, [...some, 1, 9_999]))].sort(([a], [b]) => a - b)).toEqual(
          some.map((place) => [place, { position: waiting.indexOf(place) + 1, waiting: waiting.length }]),
        )
        expect(await tally(bookid)).toMatchObject({ waiting: waiting.length })
      }
      expect(drifts).toBe(0)
    }),
    { numRuns: 40 },
  )
})

const queued = (place: number, waiting: number, bookid = 'drift') => ({
  type: 'ReservationQueued' as const,
  ...after,
  bookid,
  waiting,
  reservationid: crypto.randomUUID(),
  userid: 'u',
  place,
  position: waiting,
})

/** Handles events of reservations that have been accepted. */
async function arrive(...events: (StockEvent & { reservationid: string })[]): Promise<void> {
  await store.insert(
    sql,
    events.map(({ reservationid, bookid }) => ({
      reservationid,
      keyed: false,
      bookid,
      userid: 'u',
      partition: 0,
      traceparent,
    })),
    3_000,
  )
  await handle(...events)
}

test.each([
  ['too high', (): Fragment => sql`update queue_tally set waiting = waiting + 5 where bookid = 'drift'`],
  ['too low', (): Fragment => sql`update queue_tally set waiting = -1 where bookid = 'drift' and chunk = 0`],
  ['missing', (): Fragment => sql`delete from queue_tally where bookid = 'drift'`],
  ['of places that nobody has', (): Fragment => sql`insert into queue_tally values ('drift', 7, 3)`],
])('QP2: a tally that is %s is noticed, and counted again', async (_, fault) => {
  await sql`truncate queue, queue_tally`
  drifts = 0
  await arrive(queued(255, 1), queued(256, 2), queued(1, 1, 'another'))
  expect(drifts).toBe(0)
  await sql`${fault()}`
  await arrive(queued(257, 3))
  expect(drifts).toBe(1)
  await arrive(queued(258, 4), queued(2, 2, 'another'))
  await arrive(queued(259, 5))
  expect(drifts).toBe(1)
  expect(await positionsIn('drift', [255, 259])).toEqual([
    { position: 1, waiting: 5 },
    { position: 5, waiting: 5 },
  ])
})

test('QP3: a place that a redriven event adds too late is removed by the next change, and no other', async () => {
  await sql`truncate queue, queue_tally`
  const [late, waits, cancels, next] = [queued(1, 1), queued(2, 2), queued(3, 2), queued(4, 3)]
  await arrive(waits)
  const { position: _, ...served } = late
  await arrive({ ...served, type: 'CopyReserved', waited: true, first: true }, cancels)
  await store.change(sql, cancels.reservationid, 'Canceled', traceparent, 3_000)
  // Heard by a version that did not keep what it heard.
  await sql`update reservation set heard = null`
  await handleBatch([late], position)
  expect(await positionsIn('drift', [2])).toEqual([{ position: 2, waiting: 3 }])
  await arrive(next)
  expect(await positionsIn('drift', [2, 3, 4])).toEqual([
    { position: 1, waiting: 3 },
    { position: 2, waiting: 3 },
    { position: 3, waiting: 3 },
  ])
  // The cancellation is confirmed, so its place does not count if it is taken again.
  const { position: __, ...released } = cancels
  await handle({ ...released, type: 'CopyReleased', waiting: 2 })
  await sql`update reservation set heard = null`
  await handleBatch([cancels], position)
  await arrive(queued(5, 3))
  expect(await positionsIn('drift', [4, 5])).toEqual([
    { position: 2, waiting: 3 },
    { position: 3, waiting: 3 },
  ])
})

test('a dead letter that is redriven after later events of its reservation changes neither it nor the queue', async () => {
  await sql`truncate queue, queue_tally`
  const reservationid = await accepted('redriven')
  const its = { ...after, bookid: 'redriven', reservationid, userid: 'u' }
  const pickupBy = '2026-12-01T09:00:00.000Z'
  const life: StockEvent[] = [
    { type: 'ReservationQueued', ...its, waiting: 1, place: 1, position: 1 },
    { type: 'CopyReserved', ...its, place: 1, waited: true, first: true },
    { type: 'CopyShelved', ...its, pickupBy, first: true },
    { type: 'CopyTakenBack', ...its, waiting: 1, place: 1, cause: 'Lost', turn: 2 },
    { type: 'CopyReserved', ...its, place: 1, waited: true, turn: 2, first: true },
    { type: 'CopyShelved', ...its, pickupBy, turn: 2, first: true },
    { type: 'PickupExtended', ...its, pickupBy: '2026-12-05T09:00:00.000Z', turn: 2 },
  ]
  const state = async () => [await store.find(sql, reservationid), await tally('redriven')]
  const at: number[] = []
  drifts = 0
  for (const [n, event] of life.entries()) {
    await handle(event)
    at.push(position)
    const before = await state()
    for (let old = 0; old <= n; old++) {
      expect(await handleBatch([life[old]!], at[old]!)).toEqual([])
      expect(await state()).toEqual(before)
    }
  }
  expect(drifts).toBe(0)
})

test('a dead letter that is redriven before any later event of its reservation counts', async () => {
  const reservationid = await accepted('redriven')
  const its = { ...after, bookid: 'redriven', reservationid, userid: 'u', place: 3 }
  await handle({ type: 'CopyReserved', ...its, first: true })
  const setAside = async () => {
    // Another event in its place moves the offset.
    await handle({ type: 'PurchaseRequested', ...after, shortage: 1 })
    return position
  }
  const missed = await setAside()
  const taken: StockEvent = { type: 'CopyTakenBack', ...its, waiting: 1, cause: 'Lost', turn: 2 }
  expect(await handleBatch([taken], missed)).toMatchObject([{ reservationid, status: 'Waiting' }])
  // An event without effect on the status is heard too.
  const late = await setAside()
  await handle({ type: 'ReservationQueued', ...its, waiting: 1, position: 1 })
  expect(await handleBatch([{ type: 'CopyReserved', ...its, waited: true }], late)).toEqual([])
})

test('QP2: a queue that counting does not mend is counted again after a minute', async () => {
  await sql`truncate queue, queue_tally`
  drifts = 0
  // An event is missing: stock says one more.
  for (const place of [2, 3]) await arrive(queued(place, place))
  const damage = () => sql`update queue_tally set waiting = waiting + 5 where bookid = 'drift'`
  await damage()
  await arrive(queued(4, 4))
  expect(await tally('drift')).toMatchObject({ waiting: 8 })
  nowMs += 60_000
  await arrive(queued(5, 5))
  expect(await tally('drift')).toMatchObject({ waiting: 4 })
  expect(drifts).toBe(4)
})

test('QP1: a queue that has emptied leaves no tally behind', async () => {
  const places = Array.from({ length: 5 }, (_, i) => 200 + 100 * i)
  await handle(...places.map((place, i) => queued(place, i + 1, 'emptied')))
  const leaving = (place: number, waiting: number): StockEvent => {
    const { position: _, ...its } = queued(place, waiting, 'emptied') as Extract<
      StockEvent,
      { type: 'ReservationQueued' }
    >
    return { ...its, type: 'CopyReleased' }
  }
  for (const [i, place] of places.entries()) await handle(leaving(place, places.length - 1 - i))
  expect(await tally('emptied')).toMatchObject({ waiting: 0, kept: 1 })
})

test('a reservation that waits has a position by itself and in the list of its customer, and nowhere else', async () => {
  const reservationid = await accepted('positions')
  await handle(queued(1, 1, 'positions'), { ...queued(2, 2, 'positions'), reservationid } as StockEvent)
  const queue = { position: 2, waiting: 2 }
  expect(await store.find(sql, reservationid)).toMatchObject({ status: 'Waiting', place: 2, queue })
  const lists = { bookid: 'positions', status: undefined, before: undefined, limit: 5 }
  expect(await store.list(sql, { ...lists, userid: 'u' })).toMatchObject([{ reservationid, queue }])
  expect((await store.list(sql, { ...lists, userid: undefined }))[0]).not.toHaveProperty('queue')
  await store.change(sql, reservationid, 'Canceled', traceparent, 3_000)
  expect(await store.find(sql, reservationid)).toMatchObject({ status: 'Canceled', queue: null })
})

test('a request that waits for its decision gets its position if it must queue', async () => {
  const { promise: answer, resolve } = Promise.withResolvers<Answer | undefined>()
  const acceptance = new Acceptance({
    sql,
    hot: sql,
    sender: { async send() {} },
    wakeup: { next: () => ({ answer, [Symbol.dispose]() {} }) } as never,
    partitions: 1,
    resendAfterMs: 3_000,
    activeMax: 0,
    now: () => new Date(),
    log,
    lines: new BusyLines({ log, perSecondMax: 0 }),
    metrics: createMetrics('reservation'),
  })
  const limit = { leftMs: 5_000, pause() {}, resume() {} }
  const wanted = { bookid: 'desk', userid: 'u' }
  const asked = { wanted, reservationid: undefined, known: undefined, traceparent: undefined, limit }
  const accepting = acceptance.accept(asked, 5_000)
  const { reservationid } = await eventually(async () => (await store.list(sql, { ...none, ...wanted }))[0])
  const [change] = await handle(queued(1, 1, 'desk'), {
    ...queued(2, 2, 'desk'),
    reservationid,
  } as StockEvent)
  resolve(change)
  expect(await accepting).toMatchObject({
    reservationid,
    status: 'Waiting',
    queue: { position: 2, waiting: 2 },
  })
})

const none = { status: undefined, before: undefined, limit: 1 }

const partitions = [0, 1]
const uuid = (partition: number) => `00000000-0000-4000-8000-00000000000${partition}`
const listing = (partition: number, version: number) => ({
  partition,
  bookid: `fenced-${partition}`,
  about: { title: 'T', author: 'A', isbn: 'I' },
  available: 3,
  held: 0,
  out: 0,
  waiting: 0,
  version,
})
const verdict = (partition: number) => ({
  partition,
  bookid: 'b',
  reservationid: uuid(partition),
  status: 'Reserved' as const,
  reason: null,
  released: false,
})

test.each<[name: string, part: () => Fragment]>([
  [
    'new books',
    () =>
      upsertBooks(
        sql,
        partitions.map((it) => listing(it, 1)),
      ),
  ],
  [
    'receipts',
    () =>
      upsertBooks(
        sql,
        partitions.map((it) => listing(it, 2)),
      ),
  ],
  [
    'counts of copies',
    () =>
      updateCounts(
        sql,
        partitions.map((it) => listing(it, 3)),
      ),
  ],
  [
    'outcomes, and takes nothing out of the outbox',
    () => store.applyShortVerdicts(sql, partitions.map(verdict)),
  ],
  [
    'outcomes of any event, and takes nothing out of the outbox',
    () =>
      applyVerdicts(
        sql,
        partitions.map((it) => ({
          partition: it,
          bookid: 'b',
          reservationid: uuid(it),
          heard: 1,
          becomes: { Requested: { status: 'Waiting', place: 7 } },
        })),
      ),
  ],
  [
    'places in queues',
    () => {
      const books = partitions.map((partition) => ({ partition, bookid: `fenced-${partition}` }))
      return applySteps(
        sql,
        books.flatMap((it) =>
          [true, false].map((waits, i) => ({
            ...it,
            place: i + 1,
            reservationid: uuid(it.partition),
            waits,
          })),
        ),
        books.map((it) => ({ ...it, waiting: 1 })),
        books,
      )
    },
  ],
])('C1: a fenced-out owner writes no %s', async (name, part) => {
  await sql`truncate book, reservation, outbox, queue, queue_tally`
  for (const partition of partitions) {
    const row = {
      reservationid: uuid(partition),
      keyed: false,
      bookid: 'b',
      userid: 'u',
      partition,
      traceparent,
    }
    await store.insert(sql, [row], 0)
    await outbox.openLots(sql)
    if (name !== 'new books')
      await sql`insert into book (bookid, title, author, isbn, available, held, version)
        values (${`fenced-${partition}`}, '', '', '', 1, 0, 1)`
    await sql`insert into queue values (${`fenced-${partition}`}, 2, ${uuid(partition)})`
    await sql`insert into queue_tally values (${`fenced-${partition}`}, 0, 1)`
  }
  const everything = (partition: number) => sql`
    select
      (select json_agg(b) from book b where bookid = ${`fenced-${partition}`}) as books,
      (select json_agg(r) from reservation r where reservationid = ${uuid(partition)}) as reservations,
      (select json_agg(q) from queue q where bookid = ${`fenced-${partition}`}) as queue,
      (select json_agg(t) from queue_tally t where bookid = ${`fenced-${partition}`}) as tally,
      (select count(*) from outbox where partition = ${partition}) as queued`
  const before = await Promise.all(partitions.map(everything))
  const { partitions: owned } = await commit(sql, {
    advances: [
      { partition: 0, epoch: 0, from: `${position}-0`, to: `${position}-0`, count: 0, seq: 0 },
      { partition: 1, epoch: 7, from: '0-0', to: '0-0', count: 0, seq: 0 },
    ],
    events: [],
    letters: [],
    redriven: [],
    writes: [part()],
    results: undefined,
  })
  expect(owned).toEqual(new Set([0]))
  const after = await Promise.all(partitions.map(everything))
  expect(after[0]).not.toEqual(before[0])
  expect(after[1]).toEqual(before[1])
})

const dayMs = 86_400_000

/** Reservations of past statuses, made and changed some days ago. @returns their ids. */
async function past(
  userid: string,
  them: { status: string; madeDays?: number; days?: number; bookid?: string }[],
): Promise<string[]> {
  const ids = them.map(({ madeDays = 100 }) => uuidv7(Date.now() - madeDays * dayMs))
  for (const [i, { status, days = 50, bookid = 'b' }] of them.entries())
    await sql`
      insert into reservation (reservationid, bookid, userid, partition, status, note, other, traceparent, authtype, authid, updated_at)
      values (${ids[i]!}, ${bookid}, ${userid}, 0, ${status}, 'a note', ${ids[0]!}, ${traceparent}, 'app_user', ${userid},
        now() - make_interval(days => ${days}))`
  return ids
}

const emptied = () => sql`truncate book, reservation, outbox, standing, forgotten, block_note`
const namesOf = async (ids: string[]) => {
  const rows = await sql<{ reservationid: string; userid: string }[]>`
    select reservationid, userid from reservation where reservationid = any(${ids}::uuid[])`
  return ids.map((id) => rows.find((it) => it.reservationid === id)!.userid)
}

/** Runs a pass, until it has read the last page. */
async function passed(days: number): Promise<number> {
  const stop = new AbortController()
  let count = 0
  const history = new History({
    days,
    now: () => new Date(),
    log,
    async page(after, before) {
      const page = await forgetPage(sql, after, before, days)
      count += page.forgotten
      if (page.last === null) stop.abort()
      return page
    },
  })
  await history.run(stop.signal)
  return count
}

test('a reservation loses its customer some days after its end, and nothing else', async () => {
  await emptied()
  await sql`insert into book (bookid, title, author, isbn, available, held, version, "out")
    values ('lent', '', '', '', 0, 0, 1, 1), ('sold', '', '', '', 0, 0, 1, 0)`
  const ended = [
    { status: 'Failed' },
    { status: 'Canceled' },
    { status: 'Returned' },
    { status: 'Expired' },
    { status: 'Collected', bookid: 'sold' },
  ]
  const kept = [
    ...active.map((status) => ({ status })),
    { status: 'Returned', days: 29 },
    { status: 'Returned', madeDays: 29, days: 1 },
    { status: 'Collected', bookid: 'lent' },
    { status: 'Canceled' },
  ]
  const [over, others] = [await past('ann', ended), await past('ben', kept)]
  // Stock has not confirmed it: the command that is sent again names the customer.
  await sql`insert into outbox (partition, reservationid, resend_at) values (0, ${others.at(-1)!}, now())`
  expect(await passed(30)).toBe(ended.length)
  expect(await namesOf(over)).toEqual(ended.map(() => ''))
  expect(await namesOf(others)).toEqual(kept.map(() => 'ben'))
  const [row] = await sql`select * from reservation where reservationid = ${over[0]!}`
  expect(row).toMatchObject({
    bookid: 'b',
    status: 'Failed',
    note: null,
    other: null,
    traceparent: null,
    authtype: null,
    authid: null,
  })
  expect(await passed(30)).toBe(0)
  expect(await passed(28)).toBe(1)
})

test('HI2: a page has a thousand rows at most, and leaves out a row that another statement has locked', async () => {
  await emptied()
  await sql`
    insert into reservation (reservationid, bookid, userid, partition, status, updated_at)
    select lpad(to_hex(i), 32, '0')::uuid, 'b', 'ann', 0, 'Failed', now() - interval '60 days'
    from generate_series(1, ${historyPageMax + 5}::int) i`
  await using lock = database.connection()
  await lock`begin`
  await lock`select from reservation where reservationid = '00000000-0000-0000-0000-000000000001' for update`
  const first = await forgetPage(sql, lowestId(0), lowestId(Date.now()), 30)
  await lock`rollback`
  expect(first.forgotten).toBe(historyPageMax - 1)
  const second = await forgetPage(sql, first.last!, lowestId(Date.now()), 30)
  expect(second.forgotten).toBe(5)
  expect(await forgetPage(sql, second.last!, lowestId(Date.now()), 30)).toEqual({ last: null, forgotten: 0 })
  expect(await passed(30)).toBe(1)
})

test('a standing is deleted once it says nothing', async () => {
  await emptied()
  await past('ann', [{ status: 'Failed' }])
  const day = 24 * 3_600_000
  await sql`
    insert into standing (userid, active, block_reason, blocked_until) values
      ('ann', '{}', null, null), ('ben', array[gen_random_uuid()], null, null), ('cem', '{}', 'overdue', null),
      ('dan', '{}', 'overdue', ${new Date(Date.now() - day)}), ('eve', '{}', null, null)`
  await forgetStandings(sql)
  const left = await sql`select userid from standing order by userid`
  expect(left.map((it) => it.userid)).toEqual(['ann', 'ben', 'cem'])
})

test('ER1, ER2: an erasure names what keeps a customer, and one that was interrupted goes on', async () => {
  await emptied()
  await sql`
    insert into reservation (reservationid, bookid, userid, partition, status)
    select lpad(to_hex(i), 32, '0')::uuid, 'b', case when i % 2 = 0 then 'ann' else 'ben' end, 0, 'Failed'
    from generate_series(1, ${3 * erasedMax}::int) i`
  const [open] = await past('ann', [{ status: 'Waiting' }])
  expect(await openOf(sql, 'ann')).toEqual([{ reservationid: open, bookid: 'b', status: 'Waiting' }])
  await sql`update reservation set status = 'Failed' where reservationid = ${open!}`
  expect(await openOf(sql, 'ann')).toEqual([])
  expect(await eraseSome(sql, 'ann')).toBe(erasedMax)
  // The process ends here. The erased reservations are noted for stock.
  const [noted] = await sql<{ count: number }[]>`
    select count(*) from forgotten f join reservation r on r.reservationid = f.reservationid and r.userid = ''`
  expect(noted!.count).toBe(erasedMax)
  expect(await eraseSome(sql, 'ann')).toBe(erasedMax / 2 + 1)
  expect(await eraseSome(sql, 'ann')).toBe(0)
  const [left] = await sql`
    select count(*) filter (where userid = 'ann') as ann, count(*) filter (where userid = 'ben') as ben from reservation`
  expect(left).toEqual({ ann: 0, ben: 1.5 * erasedMax })
  await sql`insert into standing (userid, block_reason) values ('ann', 'overdue'), ('eve', null)`
  expect([await eraseStanding(sql, 'ann'), await eraseStanding(sql, 'eve')]).toEqual([true, false])
  expect(await sql`select userid from standing`).toEqual([{ userid: 'ann' }])
})

test('FO1: stock is asked several times to forget, with messages that name nobody', async () => {
  await emptied()
  const [id] = await past('ann', [{ status: 'Failed' }])
  await eraseSome(sql, 'ann')
  const sent: Envelope[] = []
  const sender = { send: async (it: Envelope) => void sent.push(it) }
  const unanswered = new Unanswered({ sql, sender, now: () => new Date(), log, maySend: () => true })
  for (const pause of [...pausesS, 0]) {
    expect(await unanswered.sendSome()).toBe(1)
    expect(await unanswered.sendSome()).toBe(0)
    await sql`update forgotten set send_at = send_at - make_interval(secs => ${pause})`
  }
  expect(await sql`select from forgotten`).toHaveLength(0)
  expect(sent).toHaveLength(pausesS.length + 1)
  for (const it of sent) {
    expect(it).toMatchObject({ type: 'ClaimHold', subject: 'b', data: { reservationid: id, forget: true } })
    expect(JSON.stringify(it)).not.toContain('ann')
  }
})

test('FO1: stock is sent whose copies it must not hand over, several times, and as it is then', async () => {
  await emptied()
  const [ready] = await past('ann', [{ status: 'Ready' }, { status: 'Collected' }])
  await past('ben', [{ status: 'Ready' }])
  const sent: Envelope[] = []
  const sender = { send: async (it: Envelope) => void sent.push(it) }
  const unanswered = new Unanswered({ sql, sender, now: () => new Date(), log, maySend: () => true })
  const due = async () => {
    await sql`update block_note set send_at = now()`
    sent.length = 0
    await unanswered.sendSome()
    return sent.map(({ type, subject, data }) => ({ type, subject, ...data }))
  }
  const its = { type: 'ClaimHold', subject: 'b', bookid: 'b', reservationid: ready }
  const until = new Date(Date.now() + dayMs)
  await unblock(sql, 'ann')
  expect(await due()).toEqual([])
  await block(sql, 'ann', { reason: 'overdue', until: null })
  expect(await due()).toEqual([{ ...its, block: { until: null } }])
  await block(sql, 'ann', { reason: 'overdue', until })
  for (const _ of pausesS) expect(await due()).toEqual([{ ...its, block: { until: until.toISOString() } }])
  await sql`update standing set blocked_until = now() - interval '1 second'`
  expect(await due()).toEqual([{ ...its, block: null }])
  expect(await due()).toEqual([])
  await unblock(sql, 'ann')
  expect(await due()).toEqual([{ ...its, block: null }])
})
