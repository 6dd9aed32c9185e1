import { getEventListeners } from 'node:events'
import { expect, inject, test } from 'vitest'
import { z } from 'zod'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { openRedis, untilReady } from './redis.ts'
import { range } from './testing/runtime.ts'
import { Wakeup, type WakeupOptions } from './wakeup.ts'

const answer = z.object({ id: z.string(), text: z.string() })
type Answer = z.infer<typeof answer>

/** The sender with which an announcement begins. */
const another = crypto.randomUUID()

async function open(options: Partial<WakeupOptions<Answer>> = {}, redisUrl = inject('redisUrl')) {
  const redis = openRedis(redisUrl, 'wakeup-test')
  await untilReady(redis)
  const stopping = new AbortController()
  const wakeup = new Wakeup<Answer>({
    redisUrl,
    redis,
    channel: `wakeup-${crypto.randomUUID()}`,
    answer,
    idOf: ({ id }) => id,
    lookup: async () => [],
    stopping: stopping.signal,
    ...options,
  })
  const dispose = async () => {
    await wakeup[Symbol.asyncDispose]()
    redis.disconnect()
  }
  return { wakeup, redis, stopping, [Symbol.asyncDispose]: dispose }
}

/** Waits until the channel has this many subscribers. */
const heardWithin = (
  timeout: number,
  redis: Awaited<ReturnType<typeof open>>['redis'],
  channel: string,
  count: number,
) => expect.poll(async () => (await redis.pubsub('NUMSUB', channel))[1], { timeout }).toBe(count)
const heard = heardWithin.bind(null, 1_000)

test('an answer announced by one process reaches only its waiters in another', async () => {
  const channel = `wakeup-${crypto.randomUUID()}`
  await using here = await open({ channel })
  await using there = await open({ channel })
  await heard(here.redis, channel, 2)
  const answered = there.wakeup.next('a', 5_000).answer
  const other = there.wakeup.next('b', 200).answer
  here.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect(await answered).toEqual({ id: 'a', text: 'yes' })
  expect(await other).toBeUndefined()
})

test('disposing of an answered wait does not end later waits for the same id', async () => {
  await using it = await open()
  const first = it.wakeup.next('a', 5_000)
  it.wakeup.announce([{ id: 'a', text: 'once' }])
  expect(await first.answer).toMatchObject({ text: 'once' })
  const second = it.wakeup.next('a', 1_000).answer
  first[Symbol.dispose]()
  it.wakeup.announce([{ id: 'a', text: 'again' }])
  expect(await second).toMatchObject({ text: 'again' })
})

test('of several waits for one answer, each ends by itself', async () => {
  await using it = await open()
  const short = it.wakeup.next('a', 20).answer
  const long = it.wakeup.next('a', 60_000).answer
  const left = it.wakeup.next('a', 60_000)
  expect(await short).toBeUndefined()
  left[Symbol.dispose]()
  it.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect(await long).toMatchObject({ text: 'yes' })
  expect(await left.answer).toBeUndefined()
})

test('waiters of the same process are notified at once, without Redis, and only once', async () => {
  const channel = `wakeup-${crypto.randomUUID()}`
  await using it = await open({ channel })
  await heard(it.redis, channel, 1)
  const received: string[] = []
  it.wakeup.listen('a', ({ text }) => void received.push(text))
  it.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect(received).toEqual(['yes'])
  // Once this arrives, the announcement itself has come back too.
  await it.redis.publish(channel, another + JSON.stringify([{ id: 'a', text: 'more' }]))
  await expect.poll(() => received.length).toBeGreaterThan(1)
  expect(received).toEqual(['yes', 'more'])
})

test('the only process announces nothing over Redis', async () => {
  const channel = `wakeup-${crypto.randomUUID()}`
  let alone = true
  await using here = await open({ channel, alone: () => alone })
  await using there = await open({ channel })
  await heard(here.redis, channel, 2)
  const received: string[] = []
  there.wakeup.listen('a', ({ text }) => void received.push(text))
  here.wakeup.announce([{ id: 'a', text: 'kept' }])
  alone = false
  here.wakeup.announce([{ id: 'a', text: 'sent' }])
  await expect.poll(() => received).toEqual(['sent'])
})

test('all waiters for the same answer get it', async () => {
  await using it = await open()
  const all = Promise.all(range(3).map(() => it.wakeup.next('a', 5_000).answer))
  it.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect((await all).map((answer) => answer?.text)).toEqual(['yes', 'yes', 'yes'])
})

test('a connection that is lost during a repeated subscription is replaced, and ends no wait', async () => {
  const channel = `wakeup-${crypto.randomUUID()}`
  await using here = await open({ channel })
  await using wire = await TcpProxy.start(inject('redisUrl'))
  await using there = await open({ channel }, wire.url)
  await heard(here.redis, channel, 2)
  const lost = wire.swallowReply((bytes) => bytes.includes('subscribe'), 3)
  wire.cut()
  await lost
  await heard(here.redis, channel, 2)
  const answered = there.wakeup.next('a', 5_000).answer
  here.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect(await answered).toEqual({ id: 'a', text: 'yes' })
})

test('a message that is not an announcement is ignored', async () => {
  const channel = `wakeup-${crypto.randomUUID()}`
  await using it = await open({ channel })
  await heard(it.redis, channel, 1)
  const answered = it.wakeup.next('a', 5_000).answer
  for (const text of [
    '',
    'null',
    '7',
    '{}',
    '{"answers":7}',
    '{"answers":[null,7]}',
    '{"answers":[{}]}',
    '[{"id":"a"}]',
    '[{"id":"a","text":7}]',
  ])
    for (const sender of ['', another]) await it.redis.publish(channel, sender + text)
  await it.redis.publish(channel, another + JSON.stringify([{ id: 'a', text: 'yes' }]))
  expect((await answered)?.text).toBe('yes')
})

test('a waiter is released when its time is up, or the process stops', async () => {
  await using it = await open()
  expect(await it.wakeup.next('a', 20).answer).toBeUndefined()
  const waiting = it.wakeup.next('a', 60_000).answer
  it.stopping.abort()
  expect(await waiting).toBeUndefined()
  expect(await it.wakeup.next('a', 60_000).answer).toBeUndefined()
})

test('it subscribes again after Redis was down', async () => {
  await using server = await OwnServer.redis()
  const channel = `wakeup-${crypto.randomUUID()}`
  await using here = await open({ channel }, server.url)
  await using there = await open({ channel }, server.url)
  await server.stop()
  await server.start()
  await expect.poll(() => here.redis.status, { timeout: 10_000 }).toBe('ready')
  await expect.poll(async () => (await here.redis.pubsub('NUMSUB', channel))[1], { timeout: 10_000 }).toBe(2)
  const answered = there.wakeup.next('a', 5_000).answer
  here.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect((await answered)?.text).toBe('yes')
})

// These only wait for their own time: side by side.
test.concurrent('a short wait does not look whether its client is gone', async () => {
  await using it = await open()
  let looks = 0
  await it.wakeup.next('a', 300, () => ++looks > 0).answer
  expect(looks).toBe(0)
})

test.concurrent('an answer whose announcement was lost is looked up for the remaining waiters', async () => {
  const asked: string[][] = []
  const lookup = async (ids: string[]) => {
    asked.push(ids)
    return [{ id: 'a', text: 'looked up' }]
  }
  await using it = await open({ lookup })
  const controller = new AbortController()
  const running = it.wakeup.run(controller.signal)
  const gone = it.wakeup.next('gone', 10).answer
  const answered = it.wakeup.next('a', 10_000).answer
  await gone
  expect((await answered)?.text).toBe('looked up')
  expect(asked).toEqual([['a']])
  controller.abort()
  await running
})

test.concurrent('while Redis is down announcing is harmless, and answers are looked up', async () => {
  await using server = await OwnServer.redis()
  const lookup = async (ids: string[]) => ids.map((id) => ({ id, text: 'looked up' }))
  await using it = await open({ lookup }, server.url)
  await server.stop()
  const controller = new AbortController()
  const running = it.wakeup.run(controller.signal)
  it.wakeup.announce([{ id: 'other', text: 'unheard' }])
  expect((await it.wakeup.next('a', 10_000).answer)?.text).toBe('looked up')
  controller.abort()
  await running
})

test.concurrent('waiters leave no listener behind', async () => {
  const looked: string[][] = []
  const lookup = async (ids: string[]) => {
    looked.push(ids)
    return []
  }
  await using it = await open({ lookup })
  await Promise.all(range(200).map((i) => it.wakeup.next(`id-${i}`, 10).answer))
  for (const _ of range(200)) it.wakeup.listen('a', () => {})()
  expect(getEventListeners(it.stopping.signal, 'abort').length).toBeLessThanOrEqual(1)
  const controller = new AbortController()
  const running = it.wakeup.run(controller.signal)
  // Two rounds of lookups find no other waiter.
  const last = it.wakeup.next('last', 2_300).answer
  await last
  expect(new Set(looked.flat())).toEqual(new Set(['last']))
  controller.abort()
  await running
})

test.concurrent('a wait ends when its client is gone, or when it is disposed of, and leaves nothing behind', async () => {
  const looked: string[] = []
  await using it = await open({
    lookup: async (ids) => {
      looked.push(...ids)
      return []
    },
  })
  let gone = false
  const left = it.wakeup.next('left', 60_000, () => gone).answer
  gone = true
  expect(await left).toBeUndefined()
  const ended = it.wakeup.next('ended', 60_000)
  ended[Symbol.dispose]()
  expect(await ended.answer).toBeUndefined()
  const running = new AbortController()
  const run = it.wakeup.run(running.signal)
  // Only open waits are looked up within two rounds.
  await it.wakeup.next('waiting', 2_300).answer
  running.abort()
  await run
  expect(new Set(looked)).toEqual(new Set(['waiting']))
})

test('a subscription that died silently is replaced within 15 s', async () => {
  await using wire = await TcpProxy.start(inject('redisUrl'))
  const channel = `wakeup-${crypto.randomUUID()}`
  await using far = await open({ channel }, wire.url)
  await using near = await open({ channel })
  const running = new AbortController()
  const run = far.wakeup.run(running.signal)
  await heard(near.redis, channel, 2)
  wire.abandon()
  // Redis does not notice, and keeps sending to the dead connection.
  await heardWithin(15_000, near.redis, channel, 3)
  const answered = far.wakeup.next('a', 5_000).answer
  near.wakeup.announce([{ id: 'a', text: 'yes' }])
  expect(await answered).toEqual({ id: 'a', text: 'yes' })
  running.abort()
  await run
})
