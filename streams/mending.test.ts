/** Other clients change keys in Redis, manually or by mistake. Postgres is the truth, and the keys are repaired. */
import { expect, test } from 'vitest'
import { Holdings } from './holdings.ts'
import { alignGroup } from './mailbox.ts'
import { backTo } from './mending.ts'
import { isReplyError } from './redis.ts'
import { mailbox, openRuntime, type Runtime, range } from './testing/runtime.ts'
import { silent } from './testing/silent.ts'

const largest = '18446744073709551615-18446744073709551615'
const stray = ['a', 'stray']

/** Like a sender that resends unanswered messages. */
async function postUntilTaken(runtime: Runtime, partition: number, value: number): Promise<void> {
  await runtime.until(() =>
    runtime.post(partition, value).then(
      () => true,
      (error) => {
        if (!isReplyError(error)) throw error
        return false
      },
    ),
  )
}

type Harm = [name: string, harm: (runtime: Runtime, key: string) => Promise<unknown>]

const ofMailboxes: Harm[] = [
  ['is a key of another type', ({ redis }, key) => redis.multi().del(key).set(key, 'x').exec()],
  ['was given the largest id', ({ redis }, key) => redis.xadd(key, largest, ...stray)],
  ['can be given no id but the largest', ({ redis }, key) => redis.call('XSETID', key, largest)],
]

test.concurrent.each(ofMailboxes)(
  'R5: a mailbox that %s is recreated, and the others go on',
  async (_, harm) => {
    await using runtime = await openRuntime({ partitions: 2 })
    const worker = runtime.worker()
    await runtime.post(0, 1)
    await runtime.untilCounted(1)
    await harm(runtime, runtime.key(0))
    await runtime.post(1, 2)
    await postUntilTaken(runtime, 0, 3)
    await runtime.untilCounted(3)
    expect((await runtime.values()).toSorted()).toEqual([1, 2, 3])
    expect(worker.has('recreated it')).toBe(true)
    await runtime.until(async () => (await runtime.published(0)).length === 2)
    expect((await runtime.mailbox(0)).processed).toBe(2)
  },
)

test.concurrent('messages before the largest id have their effect once', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await runtime.post(0, ...range(20))
  await runtime.redis.xadd(runtime.key(0), largest, ...stray)
  runtime.worker()
  await postUntilTaken(runtime, 0, 20)
  await runtime.untilCounted(21)
  expect(await runtime.values()).toEqual(range(21))
})

const ofEvents: Harm[] = [
  ['is a key of another type', ({ redis }, key) => redis.multi().del(key).set(key, 'x').exec()],
  ['was given the largest id', ({ redis }, key) => redis.xadd(key, largest, ...stray)],
  ['was given an id of the future', ({ redis }, key) => redis.xadd(key, '999-0', ...stray)],
  ['lost one in the middle', ({ redis }, key) => redis.xdel(key, '3-0')],
  ['lost its first', ({ redis }, key) => redis.xtrim(key, 'MINID', '3-0')],
  ['lost its last', ({ redis }, key) => redis.xdel(key, '5-0')],
  ['lost all', ({ redis }, key) => redis.xtrim(key, 'MAXLEN', 0)],
]

test.concurrent.each(ofEvents)(
  'P4: a stream of events that %s is filled again from the log',
  async (_, harm) => {
    await using runtime = await openRuntime({ partitions: 2 })
    const worker = runtime.worker()
    // A commit each, and so an entry each.
    for (const n of range(5)) {
      await runtime.post(0, n)
      await runtime.untilCounted(n + 1)
    }
    await runtime.until(async () => (await runtime.published(0)).length === 5)
    await harm(runtime, runtime.eventLog.key(0))
    await Promise.all([runtime.post(0, 5), runtime.post(1, 6)])
    await runtime.untilCounted(7)
    const values = async () => (await runtime.published(0).catch(() => [])).map((it) => it.value)
    await runtime.until(async () => (await values()).join() === range(6).join())
    expect((await runtime.published(1)).map((it) => it.value)).toEqual([6])
    expect(worker.has('did not match the event log')).toBe(true)
  },
)

test.each<[string, sequence: number, seen: string | undefined, back: number | undefined]>([
  ['that has read beyond the events known to be logged goes back', 30, 'older', 10],
  ['that has read no further stays', 10, 'older', undefined],
  ['that has gone back before stays', 30, 'newest', undefined],
  ['that has just started within the refill goes back', 15, undefined, 10],
  ['that has just started beyond it stays', 30, undefined, undefined],
])('R6: after a refill, a consumer %s', (_, sequence, seen, back) => {
  expect(backTo({ id: 'newest', soundUpTo: 10, filledUpTo: 20 }, sequence, seen)).toBe(back)
})

test.concurrent('H3: a stream that the log cannot fill stops only its own partition, and that is logged', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  for (const _ of range(3)) await runtime.logEvents(0, 1)
  await runtime.sql`delete from event_batch where partition = 0 and seq = 2`
  const worker = runtime.worker()
  await Promise.all([runtime.post(0, 1), runtime.post(1, 2)])
  await runtime.untilCounted(1)
  await runtime.until(() => worker.has('backing off from a partition'))
  expect(worker.said.join()).toContain('the event log has nothing right after 1')
  expect(await runtime.values()).toEqual([2])
  await runtime.post(1, 3)
  await runtime.untilCounted(2)
  expect(worker.has('starting over')).toBe(false)
})

test.concurrent('P3: a consumer that goes back before the trimmed events gets them again, as far as the log has them', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { redis, eventLog } = runtime
  const worker = runtime.worker({ eventRetentionDays: 3_650 })
  await runtime.post(0, ...range(300))
  await runtime.untilCounted(300)
  await runtime.until(async () => (await runtime.published(0)).length === 300)
  await redis.xgroup('CREATE', eventLog.key(0), 'reader', '250-0')
  await runtime.until(async () => (await runtime.mailbox(0)).trimmed === 250)
  await runtime.until(async () => (await runtime.published(0))[0]!.id !== '1-0')
  await redis.xgroup('SETID', eventLog.key(0), 'reader', '40-0')
  await runtime.until(async () => (await runtime.published(0))[0]!.id === '41-0')
  expect(await runtime.published(0)).toHaveLength(260)

  await runtime.sql`delete from event_batch where seq <= 20`
  await redis.xgroup('CREATE', eventLog.key(0), 'reader', '0-0')
  let rounds = 0
  await runtime.until(() => ++rounds > 3)
  expect(worker.has('backing off from a partition')).toBe(false)
  await runtime.post(0, 300)
  await runtime.until(async () => (await runtime.published(0)).at(-1)?.id === '301-0')
})

test.concurrent('R5: when Postgres has gone back, the messages in a mailbox have no effect', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const first = runtime.worker()
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  await first.stop()
  const backup = await runtime.mailbox(0)
  const second = runtime.worker()
  await runtime.post(0, 2, 3)
  await runtime.untilCounted(3)
  await second.stop()
  await runtime.until(async () => (await runtime.published(0)).length === 3)

  const { position, processed, seq, epoch } = backup
  await runtime.sql`update mailbox set position = ${position}, processed = ${processed}, seq = ${seq}, epoch = ${epoch}`
  await runtime.sql`delete from event_batch where seq > ${seq}`
  await runtime.sql`delete from tally where value > 1`
  const third = runtime.worker()
  await runtime.until(() => third.has('took partitions over'))
  await runtime.post(0, 4)
  await runtime.untilCounted(2)
  expect(await runtime.values()).toEqual([1, 4])
  expect(third.said.join()).toContain('Postgres')
  await runtime.until(async () => (await runtime.published(0)).length === 2)
  expect((await runtime.published(0)).map((it) => it.value)).toEqual([1, 4])
})

test.concurrent('a stalled owner does not mistake the progress of its successor for a fault of the stream', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  const ignore = () => {}
  const log = { info: ignore, warn: ignore, error: ignore }
  const times = { leaseTtlMs: 60_000, eventRetentionDays: 90 }
  const options = { service: 'counter', id: 'stalled', topic: mailbox, partitions: 1, handler: {}, ...times }
  const incarnation = runtime.incarnation()
  const stalled = new Holdings(
    { ...options, incarnation, sql, redisPrefix: prefix, log, telemetry: silent },
    redis,
  )
  await stalled.takeOver(true)
  const positions = await runtime.post(0, 1, 2)
  await sql`update mailbox set epoch = epoch + 1, owner = 'successor', position = ${positions[0]!}, processed = 1`
  await alignGroup(redis, runtime.cursor(0, { position: positions[0]!, processed: 1 }), {
    owner: true,
    taking: true,
  })

  await expect(stalled.tidy()).rejects.toThrow('another worker owns the partition now')
  expect(await redis.xlen(runtime.key(0))).toBe(2)
})
