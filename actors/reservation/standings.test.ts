import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../platform/http/app.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { commit } from '../../streams/commit.ts'
import type { Sql } from '../../streams/postgres.ts'
import { eventually, inParallel, range } from '../../tests/doubles/eventually.ts'
import { type OpenDatabase, openDatabase } from '../../tests/harness/database.ts'
import type { StockEvent } from '../messages.ts'
import { admissions, admit } from './admission.ts'
import { stockEventHandler } from './handler.ts'
import { Pruning } from './pruning.ts'
import { active } from './reservation.ts'
import { block, readStanding, reconcile, unblock } from './standings.ts'
import { mountStandings } from './standings-http.ts'
import * as store from './store.ts'

let database: OpenDatabase
let sql: Sql
beforeAll(async () => {
  database = await openDatabase('reservation', 2)
  sql = database.sql
})
afterAll(() => database[Symbol.asyncDispose]())

const max = 3
let ids = 0
/** Ids increase, as those of reservations do. */
const newId = () => `00000000-0000-7000-8000-${String(++ids).padStart(12, '0')}`
let customers = 0
const newCustomer = () => `customer-${++customers}`

const asked = (userid: string, more: Partial<store.Accepted> = {}): store.Accepted => ({
  reservationid: newId(),
  keyed: false,
  bookid: 'b',
  userid,
  partition: 0,
  traceparent: null,
  ...more,
})
const accept = (rows: store.Accepted[], activeMax = max) => admit(sql, rows, 3_000, activeMax)
const idsOf = (rows: { reservationid: string }[]) => rows.map((it) => it.reservationid)

/** Reads the status of each reservation, or why it failed. */
async function outcomes(rows: store.Accepted[]): Promise<string[]> {
  const found = new Map((await store.findMany(sql, idsOf(rows))).map((it) => [it.reservationid, it]))
  return rows.map((it) => {
    const { status, reason } = found.get(it.reservationid)!
    return reason ?? status
  })
}

const standing = async (userid: string) => (await readStanding(sql, userid, true)).active

/** Standings that differ from the active reservations of their customers. */
const differing = (userids: string[]) => sql`
  select userid, to_json(s.active) as kept, to_json(found) as found from standing s, lateral (
    select coalesce(array_agg(reservationid order by reservationid), '{}') as found from reservation r
    where r.userid = s.userid and r.status = any(${active}::text[])
  ) as r
  where userid = any(${userids}::text[])
    and not (s.active <@ found and found <@ s.active and cardinality(s.active) = cardinality(found))`

const cancel = (reservationid: string) => store.change(sql, reservationid, 'Canceled', null, 3_000, {}, true)

const positions = [0, 0]
/** Commits stock's events of a partition as a worker does. Batches of one partition must follow each other. */
async function handle(events: StockEvent[], partition = 0): Promise<void> {
  const from = `${positions[partition]}-0`
  const to = `${++positions[partition]!}-0`
  const handler = stockEventHandler({ sql, limited: true, committed() {} })
  const batch = events.map((message) => ({ partition, position: to, envelope: {} as never, message }))
  const { writes, results } = await handler.handle(batch)
  const advances = [{ partition, epoch: 0, from, to, count: events.length, seq: 0 }]
  const { partitions } = await commit(sql, {
    advances,
    events: [],
    letters: [],
    redriven: [],
    writes,
    results,
  })
  expect(partitions).toEqual(new Set([partition]))
}

const after = { version: 1, available: 0, held: 1 }
const about = ({ reservationid, userid, bookid }: store.Accepted) => ({
  ...after,
  reservationid,
  userid,
  bookid,
})
const reserved = (row: store.Accepted): StockEvent => ({ type: 'CopyReserved', ...about(row) })
const released = (row: store.Accepted): StockEvent => ({ type: 'CopyReleased', ...about(row) })
const queued = (row: store.Accepted): StockEvent => ({
  type: 'ReservationQueued',
  ...about(row),
  place: 1,
  position: 1,
})
const shelved = (row: store.Accepted): StockEvent => ({ type: 'CopyShelved', ...about(row), pickupBy: null })
const handedOver = (row: store.Accepted): StockEvent => ({ type: 'CopyHandedOver', ...about(row) })
const expired = (row: store.Accepted): StockEvent => ({ type: 'HoldExpired', ...about(row) })
const refused = (row: store.Accepted): StockEvent => ({
  type: 'ReservationRefused',
  ...about(row),
  reason: 'OutOfStock',
})

/** A transaction whose locks other statements wait for. */
async function transaction() {
  const connection = database.connection()
  const [{ pid } = {}] = await connection<{ pid: number }[]>`select pg_backend_pid() as pid`
  await connection`begin`
  return {
    sql: connection,
    /** Resolves once a statement waits for it. */
    blocks: () =>
      eventually(async () => {
        const [{ waits } = {}] = await sql<{ waits: boolean }[]>`
          select exists (
            select from pg_locks where not granted and ${pid!}::int = any(pg_blocking_pids(pid))
          ) as waits`
        return waits
      }),
    async [Symbol.asyncDispose]() {
      await connection`rollback`
      await connection[Symbol.asyncDispose]()
    },
  }
}

test('the fourth active reservation of three fails at once, with both numbers, and is in no lot', async () => {
  const [ann, ben] = [newCustomer(), newCustomer()]
  const rows = range(4).map(() => asked(ann))
  for (const row of rows.slice(0, 3)) expect((await accept([row])).refused).toBeUndefined()
  const other = asked(ben)
  const { refused } = await accept([rows[3]!, other])
  const refusal = { reason: 'LimitReached', active: 3, active_max: 3 }
  expect([...refused!.values()]).toEqual([{ reservationid: rows[3]!.reservationid, ...refusal }])
  expect(await store.find(sql, rows[3]!.reservationid)).toMatchObject({ status: 'Failed', ...refusal })
  expect(await outcomes([other])).toEqual(['Requested'])
  const lots = await sql<{ ids: string[] }[]>`select to_json(reservationids) as ids from lot`
  const inLots = lots.flatMap((it) => it.ids)
  expect(inLots).toEqual(expect.arrayContaining(idsOf([...rows.slice(0, 3), other])))
  expect(inLots).not.toContain(rows[3]!.reservationid)
  // A group in which all are refused has no lot.
  await accept([asked(ann)])
  expect(await sql`select from lot`).toHaveLength(lots.length)
  expect(await standing(ann)).toEqual(idsOf(rows.slice(0, 3)))
})

test('of one group, the earliest reservations of each customer are accepted', async () => {
  const [ann, ben] = [newCustomer(), newCustomer()]
  const rows = [ann, ben, ann, ann, ben, ann, ann].map((userid) => asked(userid))
  await accept(rows.toReversed())
  const expected = [...rows.slice(0, 5).map(() => 'Requested'), 'LimitReached', 'LimitReached']
  expect(await outcomes(rows)).toEqual(expected)
})

test('a repeated key takes no second slot, and leaves what is stored as it is', async () => {
  const ann = newCustomer()
  const first = asked(ann, { keyed: true })
  const again = () => accept([first, { ...first }])
  expect((await again()).accepted).toEqual(new Set([first.reservationid]))
  expect((await again()).accepted).toEqual(new Set())
  const rest = [asked(ann), asked(ann)]
  await accept(rest)
  const late = asked(ann, { keyed: true })
  expect((await accept([late])).refused?.get(late.reservationid)).toMatchObject({ active: 3 })
  await cancel(first.reservationid)
  // Neither the canceled one nor the refused one takes the free slot.
  expect(await accept([first, late])).toMatchObject({ accepted: new Set(), refused: undefined })
  expect(await outcomes([first, late])).toEqual(['Canceled', 'LimitReached'])
  expect(await standing(ann)).toEqual(idsOf(rest))
})

test('a key that is repeated while its first request commits takes no second slot', async () => {
  const ann = newCustomer()
  const row = asked(ann, { keyed: true })
  await using other = await transaction()
  await admit(other.sql, [row], 3_000, max)
  const repeating = accept([row])
  await other.blocks()
  await other.sql`commit`
  expect(await repeating).toMatchObject({ accepted: new Set(), refused: undefined })
  expect(await standing(ann)).toEqual([row.reservationid])
})

test('a standing shows the oldest reservation first, in whatever order they were committed', async () => {
  const ann = newCustomer()
  const rows = range(3).map(() => asked(ann))
  for (const row of rows.toReversed()) await accept([row])
  expect(await standing(ann)).toEqual(idsOf(rows))
})

test('staff pass the limit, and a limit that is lowered ends nothing', async () => {
  const ann = newCustomer()
  const commits: [number, boolean | undefined][] = []
  const inserts = admissions(max, (activeMax) => ({
    async add(row) {
      commits.push([activeMax, row.overLimit])
      return await accept([row], activeMax)
    },
  }))
  const rows = [...range(3).map(() => asked(ann)), asked(ann, { overLimit: true }), asked(ann)]
  for (const row of rows) await inserts.add(row)
  expect(commits.map(([activeMax]) => activeMax === max)).toEqual([true, true, true, false, true])
  expect(await outcomes(rows)).toEqual(['Requested', 'Requested', 'Requested', 'Requested', 'LimitReached'])
  const { refused } = await accept([asked(ann)], 1)
  expect([...refused!.values()]).toMatchObject([{ active: 4, active_max: 1 }])
  expect(await standing(ann)).toEqual(idsOf(rows.slice(0, 4)))
})

test('a blocked customer is refused until the block ends, also over the limit', async () => {
  const ann = newCustomer()
  const before = asked(ann)
  await accept([before])
  await block(sql, ann, { reason: 'overdue', until: null })
  const rows = range(4).map(() => asked(ann))
  expect([...(await accept([rows[0]!])).refused!.values()]).toMatchObject([
    { reason: 'Blocked', active: null, active_max: null },
  ])
  await accept([rows[1]!], 1_000)
  const [{ at } = {}] = await sql<{ at: Date }[]>`select now() as at`
  await block(sql, ann, { reason: 'overdue', until: new Date(at!.getTime() - 1) })
  expect(await readStanding(sql, ann, true)).toMatchObject({ block: null })
  await accept([rows[2]!])
  const block_ = { reason: 'again', until: new Date(at!.getTime() + 60_000) }
  await block(sql, ann, block_)
  expect(await readStanding(sql, ann, true)).toMatchObject({ block: block_ })
  await accept([rows[3]!])
  expect(await outcomes(rows)).toEqual(['Blocked', 'Blocked', 'Requested', 'Blocked'])
  await unblock(sql, ann)
  expect(await readStanding(sql, ann, true)).toEqual({
    userid: ann,
    active: idsOf([before, rows[2]!]),
    block: null,
  })
})

test('reservations made before there was a limit count', async () => {
  const [ann, ben, cem] = [newCustomer(), newCustomer(), newCustomer()]
  const before = [ann, ann, ann, ann, ann, ben, ben, cem].map((userid) => asked(userid))
  await store.insert(sql, before, 3_000)
  await store.change(sql, before[7]!.reservationid, 'Canceled', null, 3_000)
  await block(sql, ben, { reason: 'overdue', until: null })
  await unblock(sql, ben)
  const rows = [ann, ben, ben, cem].map((userid) => asked(userid))
  await accept(rows)
  expect(await outcomes(rows)).toEqual(['LimitReached', 'Requested', 'LimitReached', 'Requested'])
  expect(await standing(ann)).toEqual(idsOf(before.slice(0, 5)))
  expect(await standing(cem)).toEqual([rows[3]!.reservationid])
  expect(await readStanding(sql, newCustomer(), true)).toMatchObject({ active: [] })
})

test('a reservation that ends frees its slot, once', async () => {
  const ann = newCustomer()
  const rows = range(3).map(() => asked(ann))
  await accept(rows)
  await handle([reserved(rows[0]!), refused(rows[1]!)])
  expect(await standing(ann)).toEqual(idsOf([rows[0]!, rows[2]!]))
  await cancel(rows[0]!.reservationid)
  expect(await standing(ann)).toEqual(idsOf([rows[2]!]))
  const next = [asked(ann), asked(ann), asked(ann)]
  await accept(next)
  expect(await outcomes(next)).toEqual(['Requested', 'Requested', 'LimitReached'])
  // Late and repeated events about what has ended.
  await handle([reserved(rows[0]!), released(rows[0]!), refused(rows[1]!), refused(next[2]!)])
  await cancel(rows[0]!.reservationid)
  await cancel(rows[1]!.reservationid)
  expect(await standing(ann)).toEqual(idsOf([rows[2]!, ...next.slice(0, 2)]))
})

test('a reservation counts while it waits and while its copy is held, and no longer', async () => {
  const ann = newCustomer()
  const rows = range(3).map(() => asked(ann))
  const [first, second, third] = rows as [store.Accepted, store.Accepted, store.Accepted]
  await accept(rows)
  await handle([queued(first), queued(second), reserved(third), shelved(third)])
  expect(await outcomes(rows)).toEqual(['Waiting', 'Waiting', 'Ready'])
  expect(await standing(ann)).toEqual(idsOf(rows))
  await cancel(second.reservationid)
  await handle([handedOver(third), shelved(first), expired(first), handedOver(second)])
  expect(await outcomes(rows)).toEqual(['Expired', 'Collected', 'Collected'])
  expect(await standing(ann)).toEqual([])
})

test('several reservations of a customer may end in one batch', async () => {
  const [ann, ben] = [newCustomer(), newCustomer()]
  const rows = [ann, ben, ann, ben, ann].map((userid) => asked(userid))
  await accept(rows)
  await handle(rows.slice(0, 4).map(refused))
  expect([await standing(ann), await standing(ben)]).toEqual([[rows[4]!.reservationid], []])
})

const putActive = (userid: string, ids: string[]) => sql`
  insert into standing (userid, active) values (${userid}, ${ids}::uuid[])
  on conflict (userid) do update set active = excluded.active`

test('a customer refused because of ids that are not active is accepted at the next try', async () => {
  const ann = newCustomer()
  const ended = asked(ann)
  await accept([ended])
  await cancel(ended.reservationid)
  await putActive(ann, [ended.reservationid, newId(), newId()])
  const rows = range(4).map(() => asked(ann))
  const pruning = new Pruning(sql, { info() {} } as never)
  expect((await accept([rows[0]!])).refused?.size).toBe(1)
  pruning.prune(ann)
  await pruning.run(AbortSignal.abort())
  await accept(rows.slice(1))
  expect(await outcomes(rows)).toEqual(['LimitReached', 'Requested', 'Requested', 'Requested'])
  expect(await standing(ann)).toEqual(idsOf(rows.slice(1)))
})

test('all standings are corrected, page by page, and those that are right are left alone', async () => {
  const [ann, ben, cem] = [newCustomer(), newCustomer(), newCustomer()]
  const rows = [ann, ann, ben].map((userid) => asked(userid))
  await accept([...rows, asked(cem)])
  await putActive(ann, [rows[0]!.reservationid, newId()])
  await putActive(ben, [])
  const stop = new AbortController()
  const pruning = new Pruning(sql, { info: () => {} } as never)
  pruning.pulse.beat = () => stop.abort()
  await pruning.run(stop.signal)
  expect(await standing(ann)).toEqual(idsOf(rows.slice(0, 2)))
  expect(await standing(ben)).toEqual([rows[2]!.reservationid])
  expect(await reconcile(sql, [ann, ben, cem])).toEqual([])
})

test('correcting a standing keeps what is accepted, and frees what ends, while it waits', async () => {
  const ann = newCustomer()
  const [kept, ending, meanwhile] = [asked(ann), asked(ann), asked(ann)]
  await accept([kept, ending])
  const stale = newId()
  await putActive(ann, [kept.reservationid, stale])
  await using other = await transaction()
  await other.sql`update standing set active = active || ${ending.reservationid}::uuid where userid = ${ann}`
  await admit(other.sql, [meanwhile], 3_000, 4)
  await store.change(other.sql, kept.reservationid, 'Canceled', null, 3_000, {}, true)
  const correcting = reconcile(sql, [ann])
  await other.blocks()
  await other.sql`commit`
  expect(await correcting).toEqual([ann])
  expect(await standing(ann)).toEqual(idsOf([ending, meanwhile]))
})

test('two hundred requests at once, with repeated keys, leave three active reservations', async () => {
  const ann = newCustomer()
  const rows = range(100).map(() => asked(ann, { keyed: true }))
  const repeated = rows.flatMap((row) => [row, row])
  await inParallel(repeated, 200, (row) => accept([row, asked(newCustomer())]))
  const found = await outcomes(rows)
  expect(found.filter((it) => it === 'Requested')).toHaveLength(3)
  expect(found.filter((it) => it === 'LimitReached')).toHaveLength(97)
  expect(await differing([ann])).toEqual([])
})

test('groups and batches with the same customers in any order do not deadlock', async () => {
  const userids = range(150).map(newCustomer)
  const shuffled = <Item>(items: Item[]) => items.toSorted(() => Math.random() - 0.5)
  const asking = (partition: number) =>
    shuffled(userids).map((userid) => asked(userid, { partition, bookid: `b${partition}` }))
  for (const _ of range(5)) {
    const groups = [0, 1, 0].map(asking)
    await Promise.all(groups.map((rows) => accept(rows)))
    const [first, second] = groups.map((rows) => shuffled(rows).map(refused))
    await Promise.all([
      handle(first!, 0),
      handle(second!, 1),
      accept(asking(0)),
      reconcile(sql, shuffled(userids)),
    ])
    await handle([...groups[2]!].map(refused))
  }
  expect(await differing(userids)).toEqual([])
  await sql`update standing set active = '{}' where userid = any(${userids}::text[])`
  await Promise.all([shuffled(userids), shuffled(userids)].map((it) => reconcile(sql, it)))
  expect(await differing(userids)).toEqual([])
})

test('without a limit, a customer cannot be blocked, and their active reservations are shown', async () => {
  const ann = newCustomer()
  const row = asked(ann)
  await store.insert(sql, [row], 3_000)
  // As a limit has left it.
  await putActive(ann, [newId()])
  const log = { error() {}, warn() {} } as never
  const app = createApp({
    service: 'test',
    title: 'Test',
    description: 'Test',
    log,
    metrics: createMetrics('test'),
  })
  mountStandings({ app, sql, activeMax: 0, now: () => new Date(), noted() {} })
  const ask = async (method: string, path = '', json?: object) => {
    const response = await app.request(`/standings/${ann}${path}`, {
      method,
      ...(json && { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
    })
    return [response.status, await response.json()]
  }
  const standing = { userid: ann, active: [row.reservationid], limit: null, block: null }
  expect(await ask('PUT', '/block', { reason: 'overdue' })).toMatchObject([
    409,
    { type: '/problems/limits-off' },
  ])
  expect(await ask('GET')).toMatchObject([200, standing])
  expect(await ask('DELETE', '/block')).toMatchObject([200, standing])
})

describe('a random day of two processes with the same customers', () => {
  /** A seeded sequence of numbers from 0 to 1. */
  function randomFrom(seed: number): () => number {
    let state = seed
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
      return (state >>> 0) / 2 ** 32
    }
  }

  test.each(range(3).map(() => Math.floor(Math.random() * 2 ** 31)))(
    'the limit holds all the time, nothing deadlocks, and standings are the active reservations (seed %i)',
    async (seed) => {
      const random = randomFrom(seed)
      const pick = <Item>(items: Item[]): Item => items[Math.floor(random() * items.length)]!
      const userids = range(8).map(newCustomer)
      const made: store.Accepted[][] = [[], []]
      const excess: unknown[] = []
      const accepting = async () => {
        for (const _ of range(40)) {
          const rows = range(1 + Math.floor(random() * 12)).map(() => {
            const partition = Math.floor(random() * 2)
            const known = made[partition]!
            const old = random() < 0.2 && known.length > 0 ? pick(known) : undefined
            return old ?? asked(pick(userids), { keyed: true, partition, bookid: `b${partition}` })
          })
          await accept(rows)
          for (const row of rows) made[row.partition]!.push(row)
        }
      }
      const canceling = async () => {
        for (const _ of range(120)) {
          const row = pick(pick(made))
          if (row) await cancel(row.reservationid)
          else await sql`select`
        }
      }
      const deciding = async (partition: number) => {
        for (const _ of range(40)) {
          const known = made[partition]!
          const rows = [...new Set(range(10).flatMap(() => (known.length > 0 ? pick(known) : [])))]
          await handle(
            rows.map((row) => pick([reserved, refused, released, queued, shelved, handedOver, expired])(row)),
            partition,
          )
        }
      }
      const watching = async () => {
        for (const _ of range(60)) {
          excess.push(
            ...(await sql`
              select userid, count(*) from reservation
              where userid = any(${userids}::text[]) and status = any(${active}::text[])
              group by userid having count(*) > ${max}`),
          )
        }
      }
      const reconciling = async () => {
        for (const _ of range(30)) await reconcile(sql, userids)
      }
      await Promise.all([
        accepting(),
        accepting(),
        canceling(),
        deciding(0),
        deciding(1),
        watching(),
        reconciling(),
      ])
      expect(excess).toEqual([])
      expect(await differing(userids)).toEqual([])
      const known = await store.findMany(sql, [...new Set(made.flat().map((it) => it.reservationid))])
      expect(known.map((it) => it.reason ?? it.status)).toEqual(
        expect.arrayContaining(['Canceled', 'LimitReached', 'OutOfStock', 'Collected', 'Expired']),
      )
    },
  )
})
