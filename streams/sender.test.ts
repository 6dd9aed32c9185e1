import { expect, inject, test } from 'vitest'
import { streamKey } from './partition.ts'
import { openRedis, untilReady } from './redis.ts'
import { Sender } from './sender.ts'
import { neverRestored } from './testing/never-restored.ts'

const topic = { name: 'mailbox', owner: 'counter', consumers: ['counter'] }
const envelope = (subject: string) => ({
  specversion: '1.0' as const,
  id: crypto.randomUUID(),
  source: '/test',
  type: 'Count',
  subject,
  time: new Date().toISOString(),
  data: {},
})

test('a key that holds no stream fails its own messages, and others of the same call are sent', async () => {
  const redis = openRedis(inject('redisUrl'), 'sender-test')
  await untilReady(redis)
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`
  const sender = new Sender({ redis, prefix, topic, partitions: 2, incarnation: neverRestored })
  // By fnv1a32: 'a' and 'b' are not in the same partition.
  const keys = [0, 1].map((partition) => streamKey(prefix, topic, partition))
  await redis.set(keys[0]!, 'no stream')
  const sent = ['a', 'b', 'c', 'd'].map((subject) => sender.send(envelope(subject)))
  expect((await Promise.allSettled(sent)).every((it) => it.status === 'rejected')).toBe(true)
  expect(await redis.xlen(keys[1]!)).toBe(2)
  redis.disconnect()
})
