import { expect, inject, test } from 'vitest'
import { streamKey } from '../../streams/partition.ts'
import { Pulse } from '../../streams/pulse.ts'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { Sender } from '../../streams/sender.ts'
import { neverRestored } from '../../streams/testing/never-restored.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { topics } from '../messages.ts'
import { resendUnconfirmed } from './resend.ts'
import * as store from './store.ts'

/** A reservation whose command is due to be resent, and a resender to start. */
async function opened() {
  const database = await openDatabase('reservation', 1)
  const { sql } = database
  const redis = openRedis(inject('redisUrl'), 'resend-test')
  await untilReady(redis)
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`
  const row = {
    keyed: false,
    bookid: 'b',
    userid: 'u',
    partition: 0,
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`,
    authtype: 'app_user',
    authid: 'sub-u',
  }
  await store.insert(sql, [{ ...row, reservationid: crypto.randomUUID() }], 0)

  const stop = new AbortController()
  const pulse = new Pulse('resend')
  let passes = 0
  const passed = Promise.withResolvers<void>()
  const again = Promise.withResolvers<number>()
  pulse.beat = () => void (++passes === 3 && passed.resolve())
  const options = {
    sql,
    redis,
    prefix,
    partitions: 1,
    resendAfterMs: 100,
    sender: new Sender({
      redis,
      prefix,
      topic: topics.stockMailbox,
      partitions: 1,
      incarnation: neverRestored,
    }),
    maySend: () => true,
    now: () => new Date(),
    log: { info() {}, warn() {}, debug() {} } as never,
    pulse,
    resent: (count: number) => void (count > 0 && again.resolve(count)),
  }
  let running: Promise<void> | undefined
  return {
    redis,
    mailbox: streamKey(prefix, topics.stockMailbox, 0),
    /** Starts resending. Resolves after three passes. */
    start: () => {
      running = resendUnconfirmed(options, stop.signal)
      return passed.promise
    },
    again: again.promise,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
      redis.disconnect()
      await database[Symbol.asyncDispose]()
    },
  }
}

test.concurrent('before stock has started, a command in its mailbox is not resent, and a lost one is', async () => {
  await using it = await opened()
  const { redis, mailbox } = it
  // The command as it was sent originally.
  await redis.xadd(mailbox, '1-0', 'cloudevents', '[]')
  await it.start()
  expect(await redis.xlen(mailbox)).toBe(1)
  await redis.unlink(mailbox)
  expect(await it.again).toBe(1)
  const [[, [, batch]]] = (await redis.xrange(mailbox, '-', '+')) as [[string, [string, string]]]
  expect(JSON.parse(batch)).toMatchObject([{ type: 'ReserveCopy', authtype: 'app_user', authid: 'sub-u' }])
})

test.concurrent('after another client reads the mailbox, its commands do not count as answered', async () => {
  await using it = await opened()
  const { redis, mailbox } = it
  await redis.xgroup('CREATE', mailbox, 'stock', '0-0', 'MKSTREAM')
  await redis.xadd(mailbox, '1-0', 'cloudevents', '[]')
  await redis.xreadgroup('GROUP', 'stock', 'other client', 'STREAMS', mailbox, '>')
  await it.start()
  expect(await redis.xlen(mailbox)).toBe(1)
  // As after stock has committed the command: nothing is pending, and still there is no answer.
  await redis.xgroup('DELCONSUMER', mailbox, 'stock', 'other client')
  expect(await it.again).toBe(1)
})

// Entry ids begin with Redis's time, but only their order counts, however wrong that clock is.
test.concurrent.each([
  ['far behind', '1'],
  ['far ahead', String(Date.UTC(2100, 0))],
])(
  'with the clock of Redis %s, a command is resent once stock has read past it, and not before',
  async (_, ms) => {
    await using it = await opened()
    const { redis, mailbox } = it
    await redis.xgroup('CREATE', mailbox, 'stock', '0-0', 'MKSTREAM')
    for (const n of [0, 1]) await redis.xadd(mailbox, `${ms}-${n}`, 'cloudevents', '[]')
    // Stock has read the first of the two entries, and either may be the command.
    await redis.xgroup('SETID', mailbox, 'stock', `${ms}-0`)
    await it.start()
    expect(await redis.xlen(mailbox)).toBe(2)
    // Stock reads on, but never to the end.
    await redis.xadd(mailbox, `${ms}-2`, 'cloudevents', '[]')
    await redis.xgroup('SETID', mailbox, 'stock', `${ms}-1`)
    expect(await it.again).toBe(1)
  },
)

test.concurrent('commands of a mailbox that was recreated are resent, though stock has read nothing in it', async () => {
  await using it = await opened()
  const { redis, mailbox } = it
  await redis.xadd(mailbox, '5-0', 'cloudevents', '[]')
  await it.start()
  expect(await redis.xlen(mailbox)).toBe(1)
  await redis.multi().unlink(mailbox).xadd(mailbox, '3-0', 'cloudevents', '[]').exec()
  expect(await it.again).toBe(1)
})
