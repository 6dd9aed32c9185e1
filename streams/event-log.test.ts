import { afterAll, beforeAll, expect, test } from 'vitest'
import { entriesOf, sequenceOf } from './entry.ts'
import { type BatchRow, type EventBatch, fromRow } from './event-batch.ts'
import { EventLog, type Published } from './event-log.ts'
import { groupsOf } from './groups.ts'
import { alignGroup, readEntries } from './mailbox.ts'
import { neverRestored } from './testing/never-restored.ts'
import { events, openRuntime, type Runtime, range } from './testing/runtime.ts'

let runtime: Runtime
let partition = 0
beforeAll(async () => {
  runtime = await openRuntime({ partitions: 32 })
})
afterAll(() => runtime[Symbol.asyncDispose]())

/** A partition of its own, with `count` events committed and not published. */
async function logged(count: number) {
  const mine = partition++
  const { redis, sql, eventLog } = runtime
  const key = eventLog.key(mine)
  await runtime.logEvents(mine, count)
  const at = async (): Promise<Published & { epoch: number }> => runtime.mailbox(mine)
  const held = async () => entriesOf(await redis.xrange(key, '-', '+'), '0-0', true)
  const consumer = (processed: number, group = 'reader') => ({
    key,
    group,
    consumer: 'r',
    position: `${processed}-0`,
    processed,
  })
  return {
    mine,
    key,
    redis,
    sql,
    at,
    held,
    /** Of every event. */
    ids: async () => (await held()).map((it) => it.position),
    entries: async () => (await redis.xrange(key, '-', '+')).map(([id]) => id),
    commit: (more: number) => runtime.logEvents(mine, more),
    publish: async (...events: EventBatch[]) => eventLog.publish([{ at: await at(), events }]),
    /** Twice, because events that were not committed at the previous look are kept. */
    trim: async (log = eventLog) => {
      await log.trim(await at(), 90)
      return log.trim(await at(), 90)
    },
    /** A consumer has committed this many events, and read `ahead` entries beyond. */
    consumed: async (processed: number, ahead = 0, group = 'reader') => {
      const at = consumer(processed, group)
      await alignGroup(redis, at, { owner: false, taking: true })
      await readEntries(redis, [{ ...at, after: at.position }], ahead)
    },
    lag: async (group = 'reader') => (await groupsOf(redis, key)).find((it) => it.name === group)?.lag,
  }
}

const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`)

/** The last events of the log, as a worker publishes them. */
async function lastEvents(mine: number, count: number): Promise<EventBatch[]> {
  const rows = await runtime.sql<BatchRow[]>`
    select b.partition, b.first, b.seq, time, events from event_batch b join mailbox m on m.partition = b.partition
    where b.partition = ${mine} and b.seq > m.seq - ${count}::int order by b.seq`
  const [{ seq }] = await runtime.sql<[{ seq: number }]>`select seq from mailbox where partition = ${mine}`
  return rows.map((it) => fromRow(it, seq - count))
}

test('P1: the events of a commit are one entry with the id of the last, and publishing again has no effect', async () => {
  const it = await logged(3)
  const events = await lastEvents(it.mine, 3)
  await it.publish(...events)
  await it.publish(...events)
  await it.publish(...(await lastEvents(it.mine, 2)))
  await it.publish()
  expect(await it.entries()).toEqual(['3-0'])
  expect(await it.ids()).toEqual(ids(1, 3))
})

test('P1: a commit with many events is several entries, whose lag counts events', async () => {
  const it = await logged(120)
  await it.publish(...(await lastEvents(it.mine, 120)))
  expect(await it.entries()).toEqual(['50-0', '100-0', '120-0'])
  expect(await it.ids()).toEqual(ids(1, 120))
  await it.consumed(100)
  expect(await it.lag()).toBe(20)
})

test('P1: an entry that is filled in from the log is the one that was first published', async () => {
  const it = await logged(2)
  await it.publish(...(await lastEvents(it.mine, 2)))
  const before = (await it.held()).map((entry) => entry.message)
  await it.redis.del(it.key)
  await it.publish()
  expect((await it.held()).map((entry) => entry.message)).toEqual(before)
})

test('P2: a stream that was lost is filled again, however long it is, and the lag is exact', async () => {
  const it = await logged(1_203)
  await it.publish()
  expect(await it.ids()).toEqual(ids(1, 1_203))
  await it.redis.del(it.key)
  await it.consumed(1_000)
  await it.publish()
  expect(await it.ids()).toEqual(ids(1, 1_203))
  expect(await it.lag()).toBe(203)
})

test('P2: a stream that ends early is filled before anything is appended', async () => {
  const it = await logged(5)
  await it.publish()
  await it.redis.del(it.key)
  // Redis came back with the first two. Five more are committed, and the last two are published.
  for (const id of ['1-0', '2-0']) await it.redis.xadd(it.key, id, 'a', 'b')
  await it.commit(5)
  await it.publish(...(await lastEvents(it.mine, 2)))
  expect(await it.ids()).toEqual(ids(1, 10))
})

test('P2: no event is ever appended after a gap', async () => {
  const it = await logged(3)
  const [third] = await lastEvents(it.mine, 1)
  // The log cannot fill the gap: no reader may see the third before the first.
  await it.sql`delete from event_batch where partition = ${it.mine}`
  await expect(it.publish(third!)).rejects.toThrow('nothing right after 0')
  expect(await it.ids()).toEqual([])
})

test('publishing to a stream that has more than the log is an error', async () => {
  const it = await logged(2)
  await it.redis.xadd(it.key, '7-0', 'a', 'b')
  await expect(it.publish()).rejects.toThrow(
    `Cannot publish to ${it.key}: it ends with 7, the event log with 2`,
  )
})

test('P2: several partitions that are published at once are all filled', async () => {
  const [whole, early, lost] = [await logged(3), await logged(5), await logged(2)]
  for (const id of ['1-0', '2-0']) await runtime.redis.xadd(early.key, id, 'a', 'b')
  const publications = [
    { at: await whole.at(), events: await lastEvents(whole.mine, 3) },
    { at: await early.at(), events: await lastEvents(early.mine, 1) },
    { at: await lost.at(), events: [] },
  ]
  await runtime.eventLog.publish(publications)
  await runtime.eventLog.publish(publications)
  expect(await whole.ids()).toEqual(ids(1, 3))
  expect(await early.ids()).toEqual(ids(1, 5))
  expect(await lost.ids()).toEqual(ids(1, 2))
})

test('P3: a refill goes back to what was trimmed and no further', async () => {
  const it = await logged(10)
  await it.publish()
  await it.consumed(6)
  expect(await it.trim()).toBe(6)
  expect((await it.at()).trimmed).toBe(6)
  await it.redis.del(it.key)
  await it.publish()
  expect(await it.ids()).toEqual(ids(7, 10))
  await it.consumed(6)
  expect(await it.lag()).toBe(4)
})

test('P3: after everything was trimmed and lost, the next event has its own id', async () => {
  const it = await logged(4)
  await it.publish()
  await it.consumed(4)
  await it.trim()
  await it.redis.del(it.key)
  await it.publish()
  expect(await it.ids()).toEqual([])
  await it.commit(1)
  await it.publish(...(await lastEvents(it.mine, 1)))
  expect(await it.ids()).toEqual(['5-0'])
  await it.consumed(4)
  expect(await it.lag()).toBe(1)
})

test('P3: nothing is trimmed that a consumer has not committed, nor while a consumer’s group is missing', async () => {
  const it = await logged(5)
  await it.publish()
  const topic = { ...events, consumers: ['reader', 'late'] }
  const { sql, redis, prefix } = runtime
  const log = new EventLog({ sql, redis, prefix, topic, source: '/counter', incarnation: neverRestored })
  await it.consumed(5)
  expect(await it.trim(log)).toBe(0)
  await it.consumed(3, 0, 'late')
  expect(await it.trim(log)).toBe(3)
  expect((await it.ids()).slice(-2)).toEqual(['4-0', '5-0'])
})

test('P3: events committed since the last look are kept', async () => {
  const it = await logged(5)
  await it.publish()
  const look = async () => runtime.eventLog.trim(await it.at(), 90)
  await it.consumed(2)
  expect(await look()).toBe(0)
  await it.consumed(4)
  expect(await look()).toBe(2)
  // A consumer that went back keeps what it has to read again.
  await it.consumed(3)
  expect(await look()).toBe(3)
  expect(await look()).toBe(3)
})

test('P3: events that were read and not committed are kept', async () => {
  const it = await logged(2)
  await it.publish()
  await it.commit(4)
  await it.publish()
  await it.commit(2)
  await it.publish()
  expect(await it.entries()).toEqual(['2-0', '6-0', '8-0'])
  // The second entry was read: none of its four events is committed.
  await it.consumed(2, 1)
  expect(await it.trim()).toBe(2)
  expect(await it.ids()).toEqual(expect.arrayContaining(ids(3, 8)))
})

test('P3: while another client reads as a consumer’s group, nothing is trimmed or pruned', async () => {
  const it = await logged(5)
  await it.publish()
  await it.consumed(0)
  await it.sql`update event_batch set time = clock_timestamp() - interval '91 days' where partition = ${it.mine}`
  await it.redis.xreadgroup('GROUP', 'reader', 'another client', 'STREAMS', it.key, '>')
  expect(await it.trim()).toBe(0)
  expect(await it.ids()).toEqual(ids(1, 5))
  const [kept] = await it.sql`select count(*) as n from event_log where partition = ${it.mine}`
  expect(kept!.n).toBe(5)
})

test('P3: a worker that has lost the partition trims nothing', async () => {
  const it = await logged(5)
  await it.publish()
  await it.consumed(3)
  const stale = await it.at()
  await it.sql`update mailbox set epoch = epoch + 1 where partition = ${it.mine}`
  await runtime.eventLog.trim(stale, 90)
  expect((await it.at()).trimmed).toBe(0)
  expect(await it.ids()).toEqual(ids(1, 5))
})

test('P3: the log is pruned by age, but keeps what a consumer has not committed', async () => {
  const it = await logged(1)
  for (const _ of range(5)) await it.commit(1)
  await it.publish()
  await it.consumed(4)
  await it.sql`update event_batch set time = clock_timestamp() - interval '91 days' where partition = ${it.mine} and seq <> 2`
  await it.sql`update event_batch set time = clock_timestamp() where partition = ${it.mine} and seq = 2`
  await it.trim()
  const kept = await it.sql`select seq from event_log where partition = ${it.mine} order by seq`
  expect(kept.map((row) => row.seq)).toEqual([2, 5, 6])
  const subjects = await it.sql`select seq from event_subject where partition = ${it.mine} order by seq`
  expect(subjects.map((row) => row.seq)).toEqual([2, 5, 6])
})

test('the sequence is read from an id', () => {
  expect(sequenceOf('120-0')).toBe(120)
})
