import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../../deploy/local/root.ts'
import { sources } from '../../deploy/local/sources.ts'
import { commit } from '../../streams/commit.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { deleteBlocks, upsertBlocks } from './blocks.ts'
import { unknownBook } from './book.ts'
import { CalendarCache, deleteClosingDay, reloadEveryMs, writeClosingDay } from './closing-days.ts'
import { insertPurchases, receivePurchases } from './purchases.ts'
import * as store from './store.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
let sql: Sql
beforeAll(async () => {
  database = await openDatabase('stock', 2)
  sql = database.sql
})
afterAll(() => database[Symbol.asyncDispose]())

const partitions = [0, 1]
const bookOf = (partition: number) => `book-${partition}`
const uuid = (partition: number) => `00000000-0000-4000-8000-00000000000${partition}`
const book = (partition: number) => ({
  ...unknownBook(bookOf(partition)),
  partition,
  available: 3,
  held: 1,
  version: 2,
})
const command = (it: number) => ({ ...ids(it), commandid: uuid(it), refused: null })
const hold = (partition: number, status: 'held' | 'released') => ({
  partition,
  reservationid: uuid(partition),
  bookid: bookOf(partition),
  userid: 'ann',
  hold: { status },
})
const each = <Row>(row: (partition: number) => Row): Row[] => partitions.map(row)
const ids = (partition: number) => ({ partition, bookid: bookOf(partition) })

const everything = async (partition: number) => {
  const [row] = await sql`
    select
      (select json_agg(b) from book b where bookid = ${bookOf(partition)}) as books,
      (select json_agg(h) from hold h where bookid = ${bookOf(partition)}) as holds,
      (select json_agg(c) from claim c where bookid = ${bookOf(partition)}) as claims,
      (select json_agg(u) from untended u where bookid = ${bookOf(partition)}) as untended,
      (select json_agg(b) from blocked_hold b where reservationid = ${uuid(partition)}) as blocks,
      (select json_agg(c) from command c where bookid = ${bookOf(partition)}) as commands,
      (select json_agg(p) from purchase p where bookid = ${bookOf(partition)}) as purchases`
  return row
}

const order = (it: number) => ({ ...ids(it), purchaseid: uuid(it), qty: 1, received: false })
const ended = (partition: number) => ({ partition, reservationid: uuid(partition) })
const newHolds = () =>
  store.insertHolds(
    sql,
    each((it) => hold(it, 'held')),
  )
const claims = () =>
  store.upsertClaims(
    sql,
    each((it) => ({ ...hold(it, 'held'), kind: 'held' as const })),
  )
const books = () => store.upsertBooks(sql, each(book))
const untended = () => store.insertUntended(sql, each(ids))
const blocks = () =>
  upsertBlocks(
    sql,
    each((it) => ({ ...ended(it), block: { until: null } })),
  )
const orders = () => insertPurchases(sql, each(order))

/** By the names of the functions that make them. `given` is written first. */
const parts: Record<string, { part: () => Fragment; given?: () => Fragment }> = {
  upsertBooks: { part: books },
  updateCounts: {
    part: () =>
      store.updateCounts(
        sql,
        each((it) => ({ ...book(it), available: 2 })),
      ),
    given: books,
  },
  insertHolds: { part: newHolds },
  updateHolds: {
    part: () =>
      store.updateHolds(
        sql,
        each((it) => hold(it, 'released')),
      ),
    given: newHolds,
  },
  upsertClaims: { part: claims },
  deleteClaims: { part: () => store.deleteClaims(sql, each(ended)), given: claims },
  forgetHolds: { part: () => store.forgetHolds(sql, each(ended)), given: newHolds },
  insertUntended: { part: untended },
  deleteUntended: { part: () => store.deleteUntended(sql, each(ids)), given: untended },
  insertCommands: { part: () => store.insertCommands(sql, each(command)) },
  upsertBlocks: { part: blocks },
  deleteBlocks: { part: () => deleteBlocks(sql, each(ended)), given: blocks },
  insertPurchases: { part: orders },
  receivePurchases: { part: () => receivePurchases(sql, each(order)), given: orders },
}

/** Such as `export const upsertBooks = (…): Fragment => sql` and, in the next line, `upserted_books as (`. */
const maker = /^export const (\w+) = .*=> sql`\n {2}\w+ as \(/gm

/** Commits a part for both partitions. @param epoch of partition 1; any but 0 is fenced out. */
async function write(part: () => Fragment, epoch: number): Promise<ReadonlySet<number>> {
  const step = { from: '0-0', to: '0-0', count: 0, seq: 0 }
  const advances = [
    { ...step, partition: 0, epoch: 0 },
    { ...step, partition: 1, epoch },
  ]
  const parts = { events: [], letters: [], redriven: [], writes: [part()], results: undefined }
  return (await commit(sql, { advances, ...parts })).partitions
}

test.each(Object.entries(parts))(
  'C1: a fenced-out owner writes nothing by %s',
  async (_, { part, given }) => {
    await sql`truncate book, hold, claim, untended, blocked_hold, command, purchase`
    if (given) await write(given, 0)
    const before = await Promise.all(partitions.map(everything))
    expect(await write(part, 7)).toEqual(new Set([0]))
    const after = await Promise.all(partitions.map(everything))
    expect(after[0]).not.toEqual(before[0])
    expect(after[1]).toEqual(before[1])
  },
)

test('every function of stock that makes a part of the commit is tried', () => {
  const files = sources('.ts').filter(
    (file) => file.startsWith('actors/stock/') && !file.endsWith('.test.ts'),
  )
  const makers = files.flatMap((file) => [...readFileSync(join(root, file), 'utf8').matchAll(maker)])
  expect(makers.map(([, name]) => name).sort()).toEqual(Object.keys(parts).sort())
})

test('the calendar is reloaded once a minute at most, and a batch keeps the one that it began with', async () => {
  const year = new Date().getUTCFullYear() + 1
  const [first, second] = [`${year}-01-01`, `${year}-12-25`]
  const hours = { timeZone: 'Asia/Seoul', closingTime: '18:00', closedWeekdays: [1] }
  await writeClosingDay(sql, { date: '2026-01-01', note: 'past' })
  await writeClosingDay(sql, { date: first, note: '' })
  let now = 0
  const cache = await CalendarCache.open(sql, hours, () => now)
  const before = cache.calendar
  expect(before).toEqual({ ...hours, closedDates: new Set([first]) })

  await deleteClosingDay(sql, first)
  await writeClosingDay(sql, { date: second, note: '' })
  now = reloadEveryMs - 1
  await cache.reload()
  expect(cache.calendar).toBe(before)
  now = reloadEveryMs
  await cache.reload()
  expect(cache.calendar).toEqual({ ...hours, closedDates: new Set([second]) })
  expect(before.closedDates).toEqual(new Set([first]))
})
