import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Advance, type Batch, commit } from './commit.ts'
import { listLetters } from './dead-letter.ts'
import { inBatches } from './event-batch.ts'
import { isDataError } from './postgres.ts'
import { openRuntime, type Runtime } from './testing/runtime.ts'

let runtime: Runtime
let last = 0
beforeAll(async () => {
  runtime = await openRuntime({ partitions: 64 })
})
afterAll(() => runtime[Symbol.asyncDispose]())

/** Partitions that no other test has. */
const fresh = (count: number) => Array.from({ length: count }, () => last++)

const step = (partition: number, change: Partial<Advance> = {}): Advance => ({
  partition,
  epoch: 0,
  from: '0-0',
  to: '1-1',
  count: 1,
  seq: 0,
  ...change,
})

const counted = (partition: number) => ({
  partition,
  event: { id: 'id', type: 'Counted', subject: `key-${partition}`, data: {} },
})

/** One event, one letter and one row for each partition. */
function batchOf(advances: Advance[], change: Partial<Batch> = {}): Batch {
  const { sql } = runtime
  const partitions = advances.map((it) => it.partition)
  return {
    advances,
    events: inBatches(
      partitions.map((partition) => counted(partition)),
      advances,
    ),
    letters: advances.map(({ partition, to }) => ({
      partition,
      position: to,
      reason: 'unfit',
      fields: ['a', 'b'],
    })),
    redriven: [],
    writes: [
      sql`counted as (
        insert into tally (partition, position, value, worker)
        select p, '1-1', 1, 'w' from unnest(${partitions}::int[]) as p where p in (select partition from fenced)
        returning partition, value
      )`,
    ],
    results: sql`select null::int, row_to_json(counted) from counted`,
    ...change,
  }
}

async function found(partition: number) {
  const { sql } = runtime
  const [row] = await sql`
    select position, processed, seq,
      (select count(*) from event_log e where e.partition = m.partition) as events,
      (select count(*) from event_subject s where s.partition = m.partition) as subjects,
      (select count(*) from dead_letter d where d.partition = m.partition) as letters,
      (select count(*) from tally t where t.partition = m.partition) as rows
    from mailbox m where partition = ${partition}`
  return row!
}
const untouched = { position: '0-0', processed: 0, seq: 0, events: 0, subjects: 0, letters: 0, rows: 0 }
const committed = { position: '1-1', processed: 1, seq: 1, events: 1, subjects: 1, letters: 1, rows: 1 }

test('a batch is committed as a whole, and returns its own results', async () => {
  const [partition] = fresh(1) as [number]
  const { partitions, results } = await commit(runtime.sql, batchOf([step(partition)]))
  expect([...partitions]).toEqual([partition])
  expect(results).toEqual([{ partition, value: 1 }])
  expect(await found(partition)).toEqual(committed)
})

test('C5: an event has the time of its commit by the clock of Postgres, in the log and as returned', async () => {
  const { sql } = runtime
  const [partition] = fresh(1) as [number]
  const clock = async () => (await sql<{ at: Date }[]>`select clock_timestamp() as at`)[0]!.at.getTime()
  const from = await clock()
  const { events } = await commit(sql, batchOf([step(partition)]))
  const [row] = await sql<{ time: Date }[]>`select time from event_log where partition = ${partition}`
  expect(events.map((it) => it.time)).toEqual([row!.time.toISOString()])
  expect(row!.time.getTime()).toBeGreaterThanOrEqual(from)
  expect(row!.time.getTime()).toBeLessThanOrEqual(await clock())
})

test('C1: an owner with an old epoch writes nothing', async () => {
  const [partition] = fresh(1) as [number]
  await runtime.sql`update mailbox set epoch = 1 where partition = ${partition}`
  const { partitions, results } = await commit(runtime.sql, batchOf([step(partition)]))
  expect([partitions.size, results]).toEqual([0, []])
  expect(await found(partition)).toEqual(untouched)
})

test('C1: a batch that was already committed has no second effect', async () => {
  const [partition] = fresh(1) as [number]
  const batch = () => batchOf([step(partition)])
  await commit(runtime.sql, batch())
  const again = await commit(runtime.sql, batch())
  expect(again.partitions.size).toBe(0)
  expect(await found(partition)).toEqual(committed)
})

test('C1: of two concurrent commits of the same batch, one has an effect', async () => {
  const [partition] = fresh(1) as [number]
  const both = await Promise.all([1, 2].map(() => commit(runtime.sql, batchOf([step(partition)]))))
  expect(both.map((it) => it.partitions.size).sort()).toEqual([0, 1])
  expect(await found(partition)).toEqual(committed)
})

test('C3: a partition that is fenced out does not hold up the others', async () => {
  const [first, fenced, third] = fresh(3) as [number, number, number]
  await runtime.sql`update mailbox set epoch = 7 where partition = ${fenced}`
  const { partitions, results } = await commit(
    runtime.sql,
    batchOf([first, fenced, third].map((it) => step(it))),
  )
  expect([...partitions].sort()).toEqual([first, third].sort())
  expect(results).toHaveLength(2)
  expect(await found(first)).toEqual(committed)
  expect(await found(fenced)).toEqual(untouched)
  expect(await found(third)).toEqual(committed)
})

test('C2: when Postgres refuses one part, nothing of the batch is written', async () => {
  const [one, other] = fresh(2) as [number, number]
  const { sql } = runtime
  const writes = [
    sql`counted as (insert into tally (partition, position, value, worker)
    values (${one}, '1-1', ${'no number'}::text::int, 'w') returning partition, value)`,
  ]
  const error = await commit(sql, batchOf([step(one), step(other)], { writes })).catch((it) => it)
  expect(isDataError(error)).toBe(true)
  expect(await found(one)).toEqual(untouched)
  expect(await found(other)).toEqual(untouched)
})

test('C4: sequences are dense, per partition, and count only what was committed', async () => {
  const [one, other] = fresh(2) as [number, number]
  const several = (advances: Advance[]) => {
    const events = [one, other, one, one].map(counted)
    return batchOf(advances, { events: inBatches(events, advances), letters: [] })
  }
  await commit(runtime.sql, several([step(one), step(other)]))
  // One is fenced out of the second batch, and then continues from its offset.
  await commit(
    runtime.sql,
    several([step(one, { epoch: 9, seq: 3 }), step(other, { from: '1-1', to: '2-1', seq: 1 })]),
  )
  await commit(runtime.sql, several([step(one, { from: '1-1', to: '3-1', seq: 3 }), step(other)]))
  const sequences = async (partition: number) =>
    (await runtime.sql`select seq from event_log where partition = ${partition} order by seq`).map(
      (it) => it.seq,
    )
  expect(await sequences(one)).toEqual([1, 2, 3, 4, 5, 6])
  expect(await sequences(other)).toEqual([1, 2])
  expect(await found(one)).toMatchObject({ position: '3-1', seq: 6 })
})

test('a batch without events moves only the offset', async () => {
  const [partition] = fresh(1) as [number]
  const nothing = { events: [], letters: [], writes: [], results: undefined }
  const { partitions } = await commit(runtime.sql, batchOf([step(partition, { count: 5 })], nothing))
  expect(partitions.size).toBe(1)
  expect(await found(partition)).toEqual({ ...untouched, position: '1-1', processed: 5 })
})

test('a redriven letter is deleted by the commit', async () => {
  const [partition] = fresh(1) as [number]
  await commit(runtime.sql, batchOf([step(partition)]))
  const redriven = [{ partition, position: '1-1' }]
  const again = (epoch: number) =>
    batchOf([step(partition, { epoch, from: '1-1', to: '1-1', count: 0, seq: 1 })], {
      events: [],
      letters: [],
      redriven,
    })
  await commit(runtime.sql, again(8))
  expect(await found(partition)).toMatchObject({ letters: 1, rows: 1 })
  await commit(runtime.sql, again(0))
  expect(await found(partition)).toMatchObject({ letters: 0, rows: 2, processed: 1 })
})

test.each<[string, string[]]>([
  ['nothing', []],
  ['text of any language and quotes', ['data', `{"title":"책 \\"1\\" {,}"}`]],
  ['backslashes', ['data', '\\\\ \\" \\']],
])('a dead letter holds the fields as they were read: %s', async (_, fields) => {
  const [partition] = fresh(1) as [number]
  const letters = [{ partition, position: '1-1', reason: 'unfit', fields }]
  await commit(runtime.sql, batchOf([step(partition)], { letters }))
  const letter = (await listLetters(runtime.sql, 1_000)).find((it) => it.partition === partition)
  expect(letter).toMatchObject({ position: '1-1', reason: 'unfit', fields, redrive: false })
})

test.each<[string, text: string, reason: string]>([
  ['a NUL', 'a\0b', 'a␀b'],
  ['a NUL as JSON escapes it', '{"title":"a\\u0000b"}', '{"title":"a\\u0000b"}'],
  ['an escaped backslash before the like', '"\\\\u0000"', '"\\\\u0000"'],
  ['half a surrogate pair', 'a\ud800b', 'a\ufffdb'],
  ['half a surrogate pair as JSON escapes it', '"\\ud800"', '"\\ud800"'],
])('a dead letter can hold what Postgres cannot: %s', async (_, text, shown) => {
  const [partition] = fresh(1) as [number]
  const letters = [{ partition, position: '1-1', reason: text, fields: ['data', text] }]
  await commit(runtime.sql, batchOf([step(partition)], { letters }))
  const letter = (await listLetters(runtime.sql, 1_000)).find((it) => it.partition === partition)
  expect(letter).toMatchObject({ reason: shown, fields: ['data', text] })
})
