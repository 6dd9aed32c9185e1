/**
 * Each message of a mailbox has its effect once, and each event is published once and in order, whatever fails: a reply, a
 * connection, Postgres, Redis, or all data of Redis.
 */
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { OwnServer } from '../../tests/doubles/own-server.ts'
import { TcpProxy } from '../../tests/doubles/tcp-proxy.ts'
import { batchesKey } from '../mailbox.ts'
import { openRuntime, type Runtime, range } from '../testing/runtime.ts'

/** Every event of the log is in the stream, in order, and each counted message has one. */
async function consistent(runtime: Runtime, partition = 0): Promise<void> {
  const { seq } = await runtime.mailbox(partition)
  await runtime.until(async () => (await runtime.published(partition)).length === seq)
  const published = await runtime.published(partition)
  expect(published.map((it) => it.id)).toEqual(range(seq, 1).map((n) => `${n}-0`))
  expect(published.map((it) => it.value)).toEqual(await runtime.values(partition))
}

test('W2: a batch whose commit was not answered has one effect', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const worker = runtime.worker({ postgresUrl: wire.url })
  await runtime.post(0, ...range(10))
  await runtime.untilCounted(10)
  const swallowed = wire.swallowReply((bytes) => bytes.includes('424242'))
  await runtime.post(0, 424_242)
  await swallowed
  await runtime.post(0, 10, 11)
  await runtime.untilCounted(13)
  expect(await runtime.values()).toEqual([...range(10), 424_242, 10, 11])
  expect(worker.has('starting over from the committed offsets')).toBe(true)
  // It has read the offset again, instead of failing at the fence.
  expect(worker.fenceFailures).toEqual([])
  await consistent(runtime)
})

test.each<[string, (bytes: Buffer) => boolean]>([
  // Only reads name a number of entries.
  ['of reading', (bytes) => bytes.includes('"limit":1000')],
  ['of publishing', (bytes) => bytes.includes('Counted')],
  ['whatever comes next', () => true],
])('R1, P1: a lost reply loses and doubles nothing: %s', async (_, request) => {
  await using runtime = await openRuntime({ partitions: 1 })
  await using wire = await TcpProxy.start(runtime.redisUrl)
  runtime.worker({ redisUrl: wire.url })
  await runtime.post(0, ...range(5))
  await runtime.untilCounted(5)
  for (const lot of range(4)) {
    const swallowed = wire.swallowReply(request)
    await runtime.post(0, ...range(5, 5 + lot * 5))
    await swallowed
  }
  await runtime.untilCounted(25)
  expect(await runtime.values()).toEqual(range(25))
  await consistent(runtime)
})

test('a storm of lost Postgres connections loses and doubles nothing', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  const server = postgres(runtime.postgresUrl, { max: 1, onnotice: () => {} })
  runtime.worker()
  for (const lot of range(25)) {
    await Promise.all(range(2).map((partition) => runtime.post(partition, ...range(20, lot * 20))))
    await server`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
        or datname = current_database() and pid <> pg_backend_pid() and ${lot % 5 === 0}`
  }
  await server.end()
  // The probe's own connections are among those that were cut.
  await runtime.until(async () => (await runtime.tally().catch(() => [])).length >= 1_000)
  for (const partition of range(2)) {
    expect(await runtime.values(partition)).toEqual(range(500))
    await consistent(runtime, partition)
  }
})

test('P2: FLUSHALL while idle: new messages are handled, and the event stream is filled again', async () => {
  await using server = await OwnServer.redis()
  await using runtime = await openRuntime({ partitions: 2, redisUrl: server.url })
  const worker = runtime.worker()
  await runtime.post(0, ...range(10))
  await runtime.post(1, ...range(3))
  await runtime.untilCounted(13)
  await consistent(runtime)
  await runtime.redis.flushall()
  await runtime.post(0, ...range(5, 10))
  await runtime.untilCounted(18)
  expect(await runtime.values(0)).toEqual(range(15))
  await consistent(runtime, 0)
  await consistent(runtime, 1)
  await runtime.until(() => worker.lags.get(0) === 0)
  expect(worker.has('the consumer group was gone: created it at the offset')).toBe(true)
})

test('FLUSHALL while busy: committed effects stay, later messages are handled, and nothing is doubled', async () => {
  await using server = await OwnServer.redis()
  await using runtime = await openRuntime({ partitions: 1, redisUrl: server.url })
  runtime.worker()
  for (const lot of range(40)) {
    await runtime.post(0, ...range(50, lot * 50))
    if (lot % 10 === 5) await runtime.redis.flushall()
  }
  // The mailbox has lost these messages: their sender must send them again.
  await runtime.post(0, ...range(20, 10_000))
  await runtime.until(async () => (await runtime.values()).at(-1) === 10_019)
  const values = await runtime.values()
  expect(new Set(values).size).toBe(values.length)
  expect(values).toEqual(values.toSorted((a, b) => a - b))
  expect(values.slice(-20)).toEqual(range(20, 10_000))
  await consistent(runtime)
})

test('R7: FLUSHALL under messages that share entries: committed effects stay, and the lag counts messages', async () => {
  await using server = await OwnServer.redis()
  await using runtime = await openRuntime({ partitions: 1, redisUrl: server.url })
  const worker = runtime.worker()
  await runtime.post(0, -1)
  await runtime.untilCounted(1)
  for (const lot of range(40)) {
    await runtime.send(0, ...range(17, lot * 17))
    if (lot % 10 === 5) await runtime.redis.flushall()
  }
  await runtime.until(() => runtime.redis.exists(batchesKey(runtime.key(0))))
  await runtime.send(0, ...range(20, 10_000))
  await runtime.until(async () => (await runtime.values()).at(-1) === 10_019)
  const values = await runtime.values()
  expect(values).toEqual([...new Set(values)].toSorted((a, b) => a - b))
  expect(values.slice(-20)).toEqual(range(20, 10_000))
  await runtime.until(() => worker.lags.get(0) === 0)
  await consistent(runtime)
})

test('while Redis is down a worker waits, and then continues from its offsets', async () => {
  await using server = await OwnServer.redis()
  await using runtime = await openRuntime({ partitions: 1, redisUrl: server.url })
  const worker = runtime.worker()
  await runtime.post(0, ...range(10))
  await runtime.untilCounted(10)
  await server.stop()
  const failures = () => worker.said.filter((it) => it.startsWith('starting over')).length
  await runtime.until(() => failures() >= 4)
  expect(worker.worker.pulse.silentMs).toBeLessThan(3_000)
  await server.start()
  await runtime.until(() =>
    runtime.post(0, 10).then(
      () => true,
      () => false,
    ),
  )
  await runtime.untilCounted(11)
  expect(await runtime.values()).toEqual(range(11))
  await consistent(runtime)
})

test('a worker can be stopped while Redis is down', async () => {
  await using server = await OwnServer.redis()
  await using runtime = await openRuntime({ partitions: 1, redisUrl: server.url })
  const worker = runtime.worker()
  await runtime.until(() => worker.has('took partitions over'))
  await server.stop()
  await runtime.until(() => worker.has('starting over'))
  const began = performance.now()
  await worker.stop()
  expect(performance.now() - began).toBeLessThan(3_000)
  expect((await runtime.mailbox(0)).owner).toBeNull()
})
