import { expect, test } from 'vitest'
import { leave, releaseLeases, renewLeases } from './lease.ts'
import { openRuntime, type Runtime } from './testing/runtime.ts'

const ttlMs = 60_000
const owned = async (runtime: Runtime, worker: string) =>
  (await renewLeases(runtime.sql, worker, ttlMs)).owned.map((it) => it.partition).sort((a, b) => a - b)

/** The leases of a dead worker expire. */
const expire = (runtime: Runtime, worker: string) => runtime.sql`
  with dead as (update worker set alive_until = clock_timestamp() - interval '1 ms' where id = ${worker})
  update mailbox set lease_until = clock_timestamp() - interval '1 ms' where owner = ${worker}`

test('one, two and three workers share the partitions evenly', async () => {
  await using runtime = await openRuntime({ partitions: 6 })
  expect(await owned(runtime, 'a')).toEqual([0, 1, 2, 3, 4, 5])

  // A new worker finds nothing free; those that have too much give it back.
  expect(await owned(runtime, 'b')).toEqual([])
  await giveSurplusBack(runtime, 'a', 3)
  expect(await owned(runtime, 'b')).toHaveLength(3)

  expect(await owned(runtime, 'c')).toEqual([])
  await giveSurplusBack(runtime, 'a', 2)
  await giveSurplusBack(runtime, 'b', 2)
  expect(await owned(runtime, 'c')).toHaveLength(2)

  const all = await Promise.all(['a', 'b', 'c'].map((worker) => owned(runtime, worker)))
  expect(all.map((it) => it.length)).toEqual([2, 2, 2])
  expect(all.flat().sort()).toEqual([0, 1, 2, 3, 4, 5])
})

test.each([
  [16, 5, [4, 3, 3, 3, 3]],
  [4, 3, [2, 1, 1]],
  [2, 3, [1, 1, 0]],
])('%i partitions among %i workers: none has two more than another', async (partitions, workers, shares) => {
  await using runtime = await openRuntime({ partitions })
  const names = ['a', 'b', 'c', 'd', 'e'].slice(0, workers)
  for (const name of names) await renewLeases(runtime.sql, name, ttlMs)
  const all = await Promise.all(names.map((name) => renewLeases(runtime.sql, name, ttlMs)))
  expect(all.map((it) => it.share)).toEqual(shares)
})

test('L4: a worker that takes over nothing renews its own partitions, and takes those without an owner', async () => {
  await using runtime = await openRuntime({ partitions: 3 })
  await runtime.sql`update mailbox set owner = case partition when 0 then 'a' when 1 then 'b' end`
  const limited = await renewLeases(runtime.sql, 'a', ttlMs, true)
  expect(limited.owned.map((it) => it.partition).sort()).toEqual([0, 2])
  expect(await owned(runtime, 'a')).toEqual([0, 1, 2])
})

async function giveSurplusBack(runtime: Runtime, worker: string, share: number): Promise<void> {
  const leases = await renewLeases(runtime.sql, worker, ttlMs)
  expect(leases.share).toBe(share)
  await releaseLeases(
    runtime.sql,
    worker,
    leases.owned.slice(share).map((it) => it.partition),
  )
}

test('workers that start at the same moment share the partitions without overlap', async () => {
  await using runtime = await openRuntime({ partitions: 12 })
  const names = ['a', 'b', 'c', 'd']
  await Promise.all(names.map((name) => renewLeases(runtime.sql, name, ttlMs)))
  const all = await Promise.all(names.map((worker) => owned(runtime, worker)))
  expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i))
})

test('L1: renewing keeps the epoch, and a change of owner raises it by one', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const epochOf = async (worker: string) =>
    (await renewLeases(runtime.sql, worker, ttlMs)).owned.map((it) => it.epoch)
  expect(await epochOf('a')).toEqual([1])
  expect(await epochOf('a')).toEqual([1])
  await expire(runtime, 'a')
  expect(await epochOf('b')).toEqual([2])
  expect(await epochOf('a')).toEqual([])
  await leave(runtime.sql, 'b')
  expect(await epochOf('a')).toEqual([3])
})

test('L1: an owner whose expired lease was not taken over keeps its epoch', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await owned(runtime, 'a')
  await expire(runtime, 'a')
  const { owned: leases } = await renewLeases(runtime.sql, 'a', ttlMs)
  expect(leases).toMatchObject([{ partition: 0, epoch: 1 }])
})

test('L2: leases expire by the database’s clock', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await renewLeases(runtime.sql, 'a', ttlMs)
  const clock = Date.now
  Date.now = () => clock() + 3_600_000
  try {
    expect(await owned(runtime, 'b')).toEqual([])
  } finally {
    Date.now = clock
  }
  await runtime.sql`
    with dying as (update worker set alive_until = clock_timestamp() + interval '100 ms' where id = 'a')
    update mailbox set lease_until = clock_timestamp() + interval '100 ms'`
  await runtime.sql`select pg_sleep_until(lease_until + interval '1 ms') from mailbox`
  expect(await owned(runtime, 'b')).toEqual([0])
})

test('a lease has what is committed: offset, count, sequence, and the sequence of the last trim', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await runtime.sql`update mailbox set position = '17-3', processed = 42, seq = 40, trimmed = 30`
  const { owned: leases } = await renewLeases(runtime.sql, 'a', ttlMs)
  expect(leases).toMatchObject([{ epoch: 1, position: '17-3', processed: 42, seq: 40, trimmed: 30 }])
})

test('a worker cannot give back what another one owns', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  await owned(runtime, 'a')
  await releaseLeases(runtime.sql, 'b', [0, 1])
  await leave(runtime.sql, 'b')
  expect(await owned(runtime, 'a')).toEqual([0, 1])
})

test('a worker that leaves is replaced at once, and no share is kept for it', async () => {
  await using runtime = await openRuntime({ partitions: 4 })
  await owned(runtime, 'a')
  await owned(runtime, 'b')
  await leave(runtime.sql, 'a')
  expect(await owned(runtime, 'b')).toEqual([0, 1, 2, 3])
})

test('a dead worker is not counted once its time has passed', async () => {
  await using runtime = await openRuntime({ partitions: 4 })
  await owned(runtime, 'dead')
  await expire(runtime, 'dead')
  expect(await owned(runtime, 'b')).toEqual([0, 1, 2, 3])
})
