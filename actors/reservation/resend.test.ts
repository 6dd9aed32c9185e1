import { expect, inject, test } from 'vitest'
import { streamKey } from '../../streams/partition.ts'
import { Pulse } from '../../streams/pulse.ts'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { topics } from '../messages.ts'
import { openDatabase } from '../testing/database.ts'
import { resendUnconfirmed } from './resend.ts'
import * as store from './store.ts'

test('while stock has never been there, what waits in its mailbox is not sent again; what was lost is', async () => {
  await using database = await openDatabase('reservation', 1)
  const { sql } = database
  const redis = openRedis(inject('redisUrl'), 'resend-test')
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`
  const mailbox = streamKey(prefix, topics.stockMailbox, 0)
  const sender = new Sender({ redis, prefix, topic: topics.stockMailbox, partitions: 1 })
  await untilReady(redis)
  const row = {
    keyed: false,
    bookid: 'b',
    userid: 'u',
    partition: 0,
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`,
  }
  await store.insert(sql, [{ ...row, reservationid: crypto.randomUUID(), createdAt: new Date() }], 0)
  // As it was sent, before it was due to be sent again.
  await redis.xadd(mailbox, '1-0', 'cloudevents', '[]')

  const stop = new AbortController()
  const log = { info() {}, warn() {}, debug() {} } as never
  const pulse = new Pulse('resend')
  let turns = 0
  const turned = Promise.withResolvers<void>()
  const again = Promise.withResolvers<number>()
  pulse.beat = () => void (++turns === 3 && turned.resolve())
  const options = {
    sql,
    redis,
    prefix,
    partitions: 1,
    resendAfterMs: 100,
    sender,
    now: () => new Date(),
    log,
    pulse,
  }
  const running = resendUnconfirmed(
    { ...options, resent: (count) => count > 0 && again.resolve(count) },
    stop.signal,
  )
  await turned.promise
  expect(await redis.xlen(mailbox)).toBe(1)
  await redis.unlink(mailbox)
  expect(await again.promise).toBe(1)
  expect(await redis.xlen(mailbox)).toBe(1)
  stop.abort()
  await running
  redis.disconnect()
})
