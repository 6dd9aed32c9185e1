import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { openRedis, type RedisClient, untilReady } from './redis.ts'

/** A connection is replaced within this. */
const replacedMs = 15_000

async function opened(blocking = false) {
  const wire = await TcpProxy.start(inject('redisUrl'))
  const redis = openRedis(wire.url, 'redis-test', { blocking })
  await untilReady(redis)
  const dispose = async () => {
    redis.disconnect()
    await wire[Symbol.asyncDispose]()
  }
  return { wire, redis, [Symbol.asyncDispose]: dispose }
}

const again = (redis: RedisClient) => new Promise((resolve) => redis.once('ready', resolve))
const within = (limitMs: number, promise: Promise<unknown>) =>
  expect(Promise.race([promise, sleep(limitMs, 'late')])).resolves.not.toBe('late')

test.concurrent('an idle connection that died silently is replaced before it is needed', async () => {
  await using it = await opened()
  it.wire.abandon()
  await within(replacedMs, again(it.redis))
  expect(await it.redis.ping()).toBe('PONG')
})

test.concurrent('a connection with an unanswered command is replaced, however many commands follow', async () => {
  await using it = await opened()
  it.wire.abandon()
  const asking = new AbortController()
  const asked = (async () => {
    while (!asking.signal.aborted) {
      await it.redis.set('redis-test', '1', 'PX', 1).catch(() => {})
      await sleep(50)
    }
  })()
  await within(replacedMs, again(it.redis))
  asking.abort()
  await asked
  expect(await it.redis.ping()).toBe('PONG')
})

test.concurrent('a connection for blocking reads is replaced during a read', async () => {
  await using it = await opened(true)
  const { redis, wire } = it
  if (redis.isCluster) throw new Error('It is no cluster')
  const read = redis.xread('BLOCK', 500, 'STREAMS', 'redis-test:none', '$').catch((error) => error)
  wire.abandon()
  await within(replacedMs, again(redis))
  expect(await read).toBeInstanceOf(Error)
  expect(await redis.xread('BLOCK', 1, 'STREAMS', 'redis-test:none', '$')).toBeNull()
})

test.concurrent('a connection that is silent during setup is replaced, for blocking reads too', async () => {
  for (const blocking of [false, true]) {
    await using it = await opened(blocking)
    it.wire.silence()
    it.wire.cut()
    await sleep(1_000)
    // New connections work.
    it.wire.abandon()
    it.wire.restore()
    await within(replacedMs, again(it.redis))
    expect(await it.redis.ping()).toBe('PONG')
  }
}, 40_000)

test.concurrent('a working connection is kept, idle or subscribed', async () => {
  await using it = await opened()
  await using subscribed = await opened()
  await subscribed.redis.subscribe('redis-test')
  let closed = 0
  for (const { redis } of [it, subscribed]) redis.on('close', () => closed++)
  await sleep(10_000)
  expect(closed).toBe(0)
})
