import { expect, inject, test } from 'vitest'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { openRedis, untilReady } from './redis.ts'
import { StreamListener } from './stream-listener.ts'
import { openRuntime, range } from './testing/runtime.ts'

const never = new AbortController().signal
const keysOf = (count: number) => {
  const run = crypto.randomUUID()
  return range(count).map((i) => `{${run}-${i}}:mailbox`)
}
const at = (key: string, position = '0-0') => ({ key, position })

async function opened(url: string) {
  const redis = openRedis(url, 'listener-test')
  const listener = new StreamListener(url, 'listener')
  await untilReady(redis)
  // A connection that is being set up refuses, so the caller tries again.
  await expect
    .poll(() => listener.wait([at('{none}:x')], 1, 1, never).catch(() => 'not yet'))
    .not.toBe('not yet')
  const dispose = async () => {
    await listener[Symbol.asyncDispose]()
    redis.disconnect()
  }
  return { redis, listener, [Symbol.asyncDispose]: dispose }
}

const found = (key: string, position: string) => new Map([[key, [[position, ['a', 'b']]]]])

/** The same claims hold on one server and on a cluster. */
async function listens(url: string): Promise<void> {
  await using it = await opened(url)
  const { redis, listener } = it
  const [one, two, three] = keysOf(3) as [string, string, string]
  const position = (await redis.xadd(one, '*', 'a', 'b'))!
  const all = [at(one), at(two), at(three)]

  // An entry that is already there.
  expect(await listener.wait(all, 1, 5_000, never)).toEqual(found(one, position))
  // It is returned again: nothing was consumed.
  expect(await listener.wait(all, 1, 5_000, never)).toEqual(found(one, position))
  // An entry that is added later, without the one that was read.
  const later = [at(one, position), at(two), at(three)]
  const waiting = listener.wait(later, 1, 5_000, never)
  const added = (await redis.xadd(three, '*', 'a', 'b'))!
  expect(await waiting).toEqual(found(three, added))
  // Nothing, until the time is up.
  const began = performance.now()
  expect(await listener.wait([at(two)], 1, 100, never)).toEqual(new Map())
  expect(performance.now() - began).toBeGreaterThan(80)
  // Nothing, until it is aborted.
  const controller = new AbortController()
  const stopped = listener.wait([at(two)], 1, 5_000, controller.signal)
  controller.abort()
  expect(await stopped).toEqual(new Map())
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(await listener.wait([at(one)], 1, 5_000, controller.signal)).toEqual(new Map())
  await redis.unlink(one)
  await redis.unlink(three)
}

test('it returns the entries after the position named', () => listens(inject('redisUrl')))

test('without streams it waits all the same', async () => {
  await using it = await opened(inject('redisUrl'))
  const began = performance.now()
  expect(await it.listener.wait([], 1, 60, never)).toEqual(new Map())
  expect(performance.now() - began).toBeGreaterThan(50)
})

test('a connection that is not answered is replaced in time', async () => {
  await using wire = await TcpProxy.start(inject('redisUrl'))
  await using it = await opened(wire.url)
  const [key] = keysOf(1) as [string]
  wire.silence('replies')
  const began = performance.now()
  await expect(it.listener.wait([at(key)], 1, 10, never)).rejects.toThrow('no answer')
  expect(performance.now() - began).toBeLessThan(3_000)
  wire.restore()
  await expect
    .poll(() => it.listener.wait([at(key)], 1, 10, never).catch((error) => error), { timeout: 5_000 })
    .toEqual(new Map())
})

test('a lost connection rejects the wait, and the next wait works once Redis is back', async () => {
  await using wire = await TcpProxy.start(inject('redisUrl'))
  await using it = await opened(wire.url)
  const [key] = keysOf(1) as [string]
  const waiting = it.listener.wait([at(key)], 1, 5_000, never)
  wire.cut()
  await expect(waiting).rejects.toThrow()
  await expect
    .poll(() => it.listener.wait([at(key)], 1, 10, never).catch((error) => error), { timeout: 5_000 })
    .toEqual(new Map())
})

test('on a cluster of three masters it returns entries, and workers share, count and publish', async () => {
  await using cluster = await OwnServer.redisCluster()
  await listens(cluster.url)

  await using runtime = await openRuntime({ partitions: 6, redisUrl: cluster.url })
  const workers = [runtime.worker(), runtime.worker()]
  await runtime.until(async () => {
    const owners = await runtime.sql`select count(*) from mailbox group by owner`
    return owners.map((it) => it.count).join() === '3,3'
  })
  for (const lot of range(5))
    await Promise.all(range(6).map((partition) => runtime.post(partition, ...range(20, lot * 20))))
  await runtime.untilCounted(600)
  for (const partition of range(6)) {
    // A client reaches the nodes of a cluster in any order: the order is the stream's.
    const tally = (await runtime.tally()).filter((it) => it.partition === partition)
    expect(tally).toEqual(tally.toSorted((a, b) => inOrder(a.position, b.position)))
    expect(tally.map((it) => it.value).sort((a, b) => a - b)).toEqual(range(100))
    await runtime.until(async () => (await runtime.published(partition)).length === 100)
  }
  expect(new Set((await runtime.tally()).map((it) => it.worker))).toEqual(new Set(workers.map((it) => it.id)))
})

function inOrder(a: string, b: string): number {
  const [one, other] = [a, b].map((it) => it.split('-').map(Number))
  return one![0]! - other![0]! || one![1]! - other![1]!
}
