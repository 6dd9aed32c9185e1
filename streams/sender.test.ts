import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { entriesOf } from './entry.ts'
import { type Envelope, perEntryMax } from './envelope.ts'
import { alignGroup, batchesKey, defineMailboxScripts } from './mailbox.ts'
import { streamKey } from './partition.ts'
import { openRedis, type RedisClient, untilReady } from './redis.ts'
import { Sender } from './sender.ts'
import { neverRestored } from './testing/never-restored.ts'
import { range } from './testing/runtime.ts'

const topic = { name: 'mailbox', owner: 'counter', consumers: ['counter'] }

const envelope = (subject: string, id = 0): Envelope => ({
  specversion: '1.0',
  id: String(id + 1),
  source: '/test',
  type: 'Count',
  subject,
  time: new Date().toISOString(),
  data: {},
})

/** Two partitions: by fnv1a32, 'a' and 'c' are in one, 'b' and 'd' in the other. */
async function opened(url: string = inject('redisUrl')) {
  const redis = openRedis(url, 'sender-test')
  await untilReady(redis)
  defineMailboxScripts(redis)
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`
  const keys = [0, 1].map((partition) => streamKey(prefix, topic, partition)) as [string, string]
  const sender = (client: RedisClient = redis, incarnation: typeof neverRestored = neverRestored) =>
    new Sender({ redis: client, prefix, topic, partitions: 2, incarnation })
  const one = sender()
  const own = (key: string, client: RedisClient = redis) => {
    const cursor = { key, group: 'counter', consumer: 'c', position: '0-0', processed: 0 }
    return alignGroup(client, cursor, { owner: true, taking: true })
  }
  const read = async (key: string) =>
    entriesOf(await redis.xrange(key, '-', '+'), '0-0', false).map(({ position, message }) => ({
      position,
      ...(message as Envelope),
    }))
  const info = async (key: string, name: string) => {
    const reply = (await redis.xinfo('STREAM', key)) as unknown[]
    return reply[reply.indexOf(name) + 1]
  }
  return {
    ...{ redis, keys, sender, own, read, info },
    /** Sends them together. */
    send: (...them: Envelope[]) => Promise.all(them.map((it) => one.send(it))),
    [Symbol.dispose]: () => redis.disconnect(),
  }
}

const idsOf = (read: { id: string }[]) => read.map((it) => Number(it.id) - 1)

/** @returns whether each position follows the one before it without a gap, or begins a later millisecond. */
const isDense = (positions: string[]) =>
  positions.every((position, i) => {
    const [ms, n] = position.split('-').map(Number) as [number, number]
    const [msBefore, nBefore] = positions[i - 1]?.split('-').map(Number) ?? [0, 0]
    return ms > msBefore! ? n === 0 : ms === msBefore && n === nBefore! + 1
  })

test('a key that holds no stream fails its own messages, and others of the same call are sent', async () => {
  using it = await opened()
  for (const owned of [false, true]) {
    if (owned) await it.own(it.keys[1])
    await it.redis.set(it.keys[0], 'no stream')
    await it.redis.set(batchesKey(it.keys[0]), '')
    const sent = ['a', 'b', 'c', 'd'].map((subject) => it.send(envelope(subject)))
    expect((await Promise.allSettled(sent)).every((it) => it.status === 'rejected')).toBe(true)
    expect(await it.read(it.keys[1])).toHaveLength(owned ? 4 : 2)
    expect(await it.redis.xlen(it.keys[1])).toBe(owned ? 3 : 2)
  }
})

test('messages sent together to an owned stream share entries, in order, each with its own position', async () => {
  using it = await opened()
  await it.own(it.keys[0])
  await it.own(it.keys[1])
  await it.send(...range(2 * perEntryMax + 7).flatMap((i) => [envelope('a', i), envelope('b', i)]))
  await it.send(envelope('a', 107))
  await it.send(envelope('a', 108), envelope('a', 109))
  for (const [key, count, entries] of [
    [it.keys[0], 110, 5],
    [it.keys[1], 107, 3],
  ] as const) {
    const read = await it.read(key)
    expect(idsOf(read)).toEqual(range(count))
    expect(isDense(read.map(({ position }) => position))).toBe(true)
    expect(await it.redis.xlen(key)).toBe(entries)
    expect(await it.info(key, 'entries-added')).toBe(count)
    expect(await it.info(key, 'last-generated-id')).toBe(read.at(-1)!.position)
  }
})

test('a stream without an owner that reads such entries gets one message per entry', async () => {
  using it = await opened()
  const [key] = it.keys
  await it.send(...range(3).map((i) => envelope('a', i)))
  expect(await it.redis.xlen(key)).toBe(3)
  await it.own(key)
  await it.send(...range(3).map((i) => envelope('a', i + 3)))
  expect(await it.redis.xlen(key)).toBe(4)
  await expect.poll(() => it.redis.exists(batchesKey(key)), { timeout: 5_000 }).toBe(0)
  await it.send(...range(3).map((i) => envelope('a', i + 6)))
  expect(await it.redis.xlen(key)).toBe(7)
  expect(idsOf(await it.read(key))).toEqual(range(9))
})

test('without the rights of a migrated installation, streams are aligned and get one message per entry', async () => {
  using it = await opened()
  const [key] = it.keys
  const user = `u${crypto.randomUUID().slice(0, 8)}`
  await it.redis.call(
    'ACL',
    'SETUSER',
    user,
    'on',
    '>old',
    `~${key}`,
    `~${key}:mended`,
    '&*',
    '+@all',
    '-time',
  )
  const url = new URL(inject('redisUrl'))
  Object.assign(url, { username: user, password: 'old' })
  const old = openRedis(url.href, 'old-user')
  await untilReady(old)
  defineMailboxScripts(old)
  await it.own(key, old)
  expect(await it.redis.exists(batchesKey(key))).toBe(0)
  const sender = it.sender(old)
  await Promise.all(range(3).map((i) => sender.send(envelope('a', i))))
  await it.own(key)
  await Promise.all(range(3).map((i) => sender.send(envelope('a', i + 3))))
  expect(await it.redis.xlen(key)).toBe(6)
  expect(idsOf(await it.read(key))).toEqual(range(6))
  old.disconnect()
  await it.redis.call('ACL', 'DELUSER', user)
})

test('messages keep their order while an owner that reads such entries comes and goes', async () => {
  using it = await opened()
  const [key] = it.keys
  const sent: Promise<unknown>[] = []
  for (const i of range(60)) {
    if (i % 20 === 0) sent.push(it.own(key))
    if (i % 20 === 10) sent.push(it.redis.del(batchesKey(key)))
    sent.push(it.send(...range(5).map((j) => envelope('a', i * 5 + j))))
    await nextTurn()
  }
  await Promise.all(sent)
  expect(idsOf(await it.read(key))).toEqual(range(300))
  const length = await it.redis.xlen(key)
  expect(length).toBeGreaterThan(60)
  expect(length).toBeLessThan(300)
})

test('after the clock was set back, positions go on from the last one', async () => {
  using it = await opened()
  const [key] = it.keys
  const ms = Date.now() + 3_600_000
  await it.redis.xadd(key, `${ms}-5`, 'a', 'b')
  await it.own(key)
  await it.send(...range(3).map((i) => envelope('a', i)))
  await it.send(...range(2).map((i) => envelope('a', i)))
  const positions = (await it.read(key)).map(({ position }) => position)
  expect(positions).toEqual(range(6, 5).map((n) => `${ms}-${n}`))
})

test.each(['1-18446744073709551614', '18446744073709551615-3'])(
  'behind the id %s, which is larger than exact numbers, each message is an entry',
  async (id) => {
    using it = await opened()
    const [key] = it.keys
    await it.redis.xadd(key, id, 'a', 'b')
    await it.redis.set(batchesKey(key), '')
    await it.send(...range(3).map((i) => envelope('a', i)))
    expect(await it.redis.xlen(key)).toBe(4)
  },
)

test('two senders at once take no position twice, beside a client that adds single messages', async () => {
  using it = await opened()
  const [key] = it.keys
  await it.own(key)
  const clients = range(3).map(() => openRedis(inject('redisUrl'), 'another-sender'))
  await Promise.all(clients.map(untilReady))
  const [first, second, other] = clients as [RedisClient, RedisClient, RedisClient]
  const senders = [it.sender(first), it.sender(second)]
  for (const round of range(100)) {
    const single = other.xadd(key, '*', 'cloudevents', JSON.stringify([envelope('a')]))
    await Promise.all([
      single,
      ...senders.flatMap((sender) => range((round % 7) + 1).map((i) => sender.send(envelope('a', i)))),
    ])
  }
  clients.forEach((client) => {
    client.disconnect()
  })
  const positions = (await it.read(key)).map(({ position }) => position)
  const count = 100 + range(100).reduce((sum, round) => sum + 2 * ((round % 7) + 1), 0)
  expect(positions).toHaveLength(count)
  expect(isDense(positions)).toBe(true)
  expect(await it.info(key, 'entries-added')).toBe(count)
  expect(await it.redis.xlen(key)).toBeLessThan(count)
})

test('messages of an entry have the stamp of the sender’s incarnation', async () => {
  using it = await opened()
  await it.own(it.keys[0])
  const sender = it.sender(it.redis, { ...neverRestored, stamp: '2-x' } as never)
  await Promise.all(range(2).map((i) => sender.send(envelope('a', i))))
  expect(await it.read(it.keys[0])).toMatchObject([{ incarnation: '2-x' }, { incarnation: '2-x' }])
})

test('in a cluster the streams of one moment get an entry each', async () => {
  await using cluster = await OwnServer.redisCluster()
  using it = await opened(cluster.url)
  await Promise.all(it.keys.map((key) => it.own(key)))
  await it.send(...range(40).flatMap((i) => [envelope('a', i), envelope('b', i)]))
  for (const key of it.keys) {
    expect(idsOf(await it.read(key))).toEqual(range(40))
    expect(await it.redis.xlen(key)).toBe(1)
  }
})
