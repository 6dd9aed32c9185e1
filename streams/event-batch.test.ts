import { expect, test } from 'vitest'
import { commit } from './commit.ts'
import { entriesOf } from './entry.ts'
import { perEntryMax } from './envelope.ts'
import { fromRow, inBatches, toEntry } from './event-batch.ts'
import { allMigrations, applyMigrations, openRuntime, type Runtime, range } from './testing/runtime.ts'

const event = (subject: string, value: number) => ({
  id: `${subject}/${value}`,
  type: 'Counted',
  subject,
  data: { value },
})
const advance = (partition: number, seq: number) => ({
  partition,
  epoch: 0,
  from: '0-0',
  to: '1-0',
  count: 1,
  seq,
})

test('the events of a commit are one batch per partition, numbered after its last event', () => {
  const events = [
    { partition: 3, event: event('a', 1) },
    { partition: 5, event: event('b', 2) },
    { partition: 3, event: event('c', 3) },
    { partition: 3, event: event('a', 4) },
  ]
  const batches = inBatches(events, [advance(3, 10), advance(5, 0)])
  expect(batches.map(({ partition, first, seq }) => ({ partition, first, seq }))).toEqual([
    { partition: 3, first: 11, seq: 13 },
    { partition: 5, first: 1, seq: 1 },
  ])
  expect([...batches[0]!.subjects]).toEqual(['a', 'c'])
  expect(batches[0]!.events.map((it) => JSON.parse(it))).toEqual([
    event('a', 1),
    event('c', 3),
    event('a', 4),
  ])
})

test('many events of one partition are several batches of limited size', () => {
  const events = range(2 * perEntryMax + 1).map((value) => ({ partition: 0, event: event('a', value) }))
  const batches = inBatches(events, [advance(0, 0)])
  expect(batches.map(({ first, seq }) => [first, seq])).toEqual([
    [1, 50],
    [51, 100],
    [101, 101],
  ])
})

test('an entry holds whole messages with their sequences, and a row of the log gives the same', () => {
  const events = [event('a', 1), { ...event('책', 2), traceparent: '00-1-2-00' }]
  const [batch] = inBatches(
    events.map((it) => ({ partition: 0, event: it })),
    [advance(0, 6)],
  )
  const time = '2026-01-02T03:04:05.678Z'
  const shared = { specversion: '1.0' as const, source: '/counter', incarnation: 'i' }
  const text = toEntry({ ...batch!, time }, shared)
  expect(JSON.parse(text)).toEqual(
    events.map((it, i) => ({ ...shared, time, sequence: String(7 + i), ...it })),
  )
  const row = { ...batch!, time: new Date(time), events: `[${batch!.events.join(', ')}]` }
  expect(toEntry(fromRow(row, 0), shared)).toBe(text)
  expect(JSON.parse(toEntry(fromRow(row, 7), shared))).toEqual(JSON.parse(text).slice(1))
})

/** As the previous version wrote it: a row for each event. */
const logAsBefore = (runtime: Runtime, seqs: number[]) => runtime.sql`
  insert into event_log (partition, seq, id, type, subject, time, traceparent, data)
  select 0, e.seq, 'id-' || e.seq, 'Counted', 'key', date_trunc('milliseconds', now()),
    case when e.seq % 2 = 0 then '00-1-2-00' end, json_build_object('value', e.seq, 'note', null)
  from unnest(${seqs}::bigint[]) as e (seq)`

const log = (runtime: Runtime) => runtime.sql`
  select partition, seq, id, type, subject, time, traceparent, data from event_log order by partition, seq`

test('a log of the previous version is kept, and a worker of that version can use it at the same time', async () => {
  await using runtime = await openRuntime({ partitions: 1, migrations: allMigrations.slice(0, 3) })
  const { sql, eventLog, redis } = runtime
  await logAsBefore(runtime, [1, 2, 3])
  const before = await log(runtime)
  await applyMigrations(runtime.postgresUrl, allMigrations.slice(3), 1)
  expect(await log(runtime)).toEqual(before)

  // The partition changes hands between the versions, back and forth.
  await logAsBefore(runtime, [4])
  await sql`update mailbox set seq = 4`
  const events = inBatches(
    [
      { partition: 0, event: event('key', 5) },
      { partition: 0, event: event('key', 6) },
    ],
    [advance(0, 4)],
  )
  const ours = {
    advances: [{ ...advance(0, 4), to: '0-0' }],
    events,
    letters: [],
    redriven: [],
    writes: [],
    results: undefined,
  }
  expect((await commit(sql, ours)).partitions.size).toBe(1)
  await logAsBefore(runtime, [7])
  await sql`update mailbox set seq = 7`
  // It prunes by deleting rows, which must not fail. This version prunes what it leaves.
  await sql`delete from event_log where (partition, seq) in (select partition, seq from event_log where seq < 3)`

  expect((await log(runtime)).map((it) => [it.seq, it.id])).toEqual([
    ...[1, 2, 3, 4].map((seq) => [seq, `id-${seq}`]),
    [5, 'key/5'],
    [6, 'key/6'],
    [7, 'id-7'],
  ])
  const subjects = await sql<
    { seq: number }[]
  >`select seq from event_subject where subject = 'key' order by seq`
  expect(subjects.map((it) => it.seq)).toEqual([1, 2, 3, 4, 6, 7])
  await eventLog.publish([{ at: { partition: 0, seq: 7, trimmed: 0 }, events: [] }])
  const published = entriesOf(await redis.xrange(eventLog.key(0), '-', '+'), '0-0', true)
  expect(published.map((it) => it.position)).toEqual(range(7, 1).map((seq) => `${seq}-0`))
  expect(published[1]!.message).toMatchObject({ traceparent: '00-1-2-00', data: { value: 2, note: null } })
  expect(published[2]!.message).not.toHaveProperty('traceparent')
})
