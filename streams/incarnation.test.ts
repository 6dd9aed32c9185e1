import { expect, test, vi } from 'vitest'
import { toFields } from './envelope.ts'
import { Incarnation, incarnationsKey, type RenewalCount, toMarks } from './incarnation.ts'
import { SetupError } from './setup.ts'
import { envelopeOf } from './testing/counter.ts'
import { openRuntime, type Runtime } from './testing/runtime.ts'

const marksOf = async ({ redis, prefix }: Runtime) => toMarks(await redis.hgetall(incarnationsKey(prefix)))
const counts = ({ sql }: Runtime) => sql<RenewalCount[]>`select id, beats as renewals from incarnation`
const goBack = ({ sql }: Runtime, to: number) => sql`update incarnation set beats = ${to}`
const begin = ({ sql }: Runtime, id: string) => sql`update incarnation set id = ${id}`

/** Runs a worker until it has counted a few renewals. */
async function worked(runtime: Runtime): Promise<number> {
  const worker = runtime.worker()
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  await worker.stop()
  return (await counts(runtime))[0]!.renewals
}

test('U2: once a worker has stopped, Redis knows every renewal that it counted in Postgres', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const count = await worked(runtime)
  const { id } = (await counts(runtime))[0]!
  expect(id).toMatch(/^0-/)
  expect((await marksOf(runtime)).get('counter')).toEqual({ id, renewals: count })
})

test('U2: a worker whose database has gone back by a single renewal reads nothing, counts nothing, and logs what to run', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const count = await worked(runtime)
  await goBack(runtime, count - 1)
  await runtime.post(0, 2)
  const worker = runtime.worker()
  await runtime.until(() => worker.has('npm run restored'))
  await worker.stop()
  expect(await runtime.values()).toEqual([1])
  expect(await counts(runtime)).toMatchObject([{ renewals: count - 1 }])
})

test('U2: a running worker notices that its database was replaced by an older one', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const worker = runtime.worker()
  const counted = async () => ((await marksOf(runtime)).get('counter')?.renewals ?? 0) > 1
  await vi.waitUntil(counted, { timeout: 10_000 })
  await goBack(runtime, 0)
  await runtime.until(() => worker.has('npm run restored'))
  await runtime.post(0, 1)
  await worker.stop()
  expect(await runtime.values()).toEqual([])
})

test('U2: a process whose renewal is noted after a later one of another process has not gone back', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const [first, second] = [runtime.incarnation(), runtime.incarnation()]
  const { sql, redis } = runtime
  await first.look(sql, redis)
  await second.look(sql, redis)
  const { id } = (await counts(runtime))[0]!
  await sql`update incarnation set beats = 2`
  await second.note(sql, redis, { id, renewals: 2 })
  await first.note(sql, redis, { id, renewals: 1 })
  expect([first.fault, second.fault]).toEqual([undefined, undefined])
  expect((await marksOf(runtime)).get('counter')?.renewals).toBe(2)
})

test('U2: a loss is not forgotten when the count has caught up', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis } = runtime
  const [id, first] = ['0-mine', runtime.incarnation()]
  await sql`update incarnation set id = ${id}, beats = 5`
  await first.look(sql, redis)
  await goBack(runtime, 4)
  await goBack(runtime, 5)
  // A renewal in a database that lacks one counts no more than was counted before.
  first.counted(sql, redis, { id, renewals: 5 }, first.last)
  expect(first.fault).toContain('npm run restored')
  await vi.waitUntil(async () => ((await marksOf(runtime)).get('counter')?.renewals ?? 0) > 5)
  await first.look(sql, redis)
  expect(first.fault).toContain('npm run restored')
  await begin(runtime, '1-next')
  const second = runtime.incarnation()
  await second.look(sql, redis)
  expect(second.fault).toBeUndefined()
})

test('U2: a renewal that another comparison has already found is no sign of a loss', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis } = runtime
  await sql`update incarnation set id = '0-mine', beats = 5`
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  const before = incarnation.last
  await sql`update incarnation set beats = 6`
  await incarnation.look(sql, redis)
  incarnation.counted(sql, redis, { id: '0-mine', renewals: 6 }, before)
  expect(incarnation.fault).toBeUndefined()
})

test('U2: a running service notices that another one is at a later incarnation', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  await redis.hset(incarnationsKey(prefix), 'other', '1-late 1')
  incarnation.counted(sql, redis, { ...incarnation.last!, renewals: 1 }, undefined)
  await vi.waitUntil(() => incarnation.fault !== undefined)
  expect(incarnation.fault).toContain('other was at incarnation 1-late')
})

test('U1: after a restore only messages sent after it have an effect', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await worked(runtime)
  await runtime.post(0, 2, 3)
  await begin(runtime, '1-test')
  const worker = runtime.worker()
  await runtime.until(() => worker.has('skipped messages of another incarnation'))
  const stamped = { ...envelopeOf('x', 'Count', runtime.subject(0), { value: '4' }), incarnation: '1-test' }
  await runtime.redis.xadd(runtime.key(0), '*', ...toFields([stamped]))
  await runtime.untilCounted(2)
  expect(await runtime.values()).toEqual([1, 4])
  expect(await runtime.sql`select from dead_letter`).toHaveLength(0)
  await runtime.until(async () => (await runtime.published(0)).length === 2)
  const entries = await runtime.redis.xrange(runtime.eventLog.key(0), '-', '+')
  for (const [, [, batch]] of entries) expect(JSON.parse(batch!)).toMatchObject([{ incarnation: '1-test' }])
})

test('U3: a worker ends when its database gets another incarnation', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const ended = runtime.incarnation()
  const { sql, redis } = runtime
  await ended.look(sql, redis)
  ended.counted(sql, redis, { id: '1-test', renewals: 1 }, ended.last)
  expect(() => ended.assertSame()).toThrow(SetupError)
  expect(ended.isCurrent).toBe(false)
})

test('a new database starts an incarnation of its own, though Redis knows another database of the service', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await runtime.redis.hset(incarnationsKey(runtime.prefix), 'counter', '3-other 500')
  await runtime.post(0, 1)
  const worker = runtime.worker()
  await runtime.until(() => worker.has('skipped messages of another incarnation'))
  expect((await counts(runtime))[0]!.id).toMatch(/^4-/)
  expect(await runtime.values()).toEqual([])
})

test.each([
  ['a later incarnation', '1-test', { counter: '2-late 7' }],
  ['another incarnation of the same number', '1-test', { counter: '1-else 7' }],
  ['another database', '0-mine', { counter: '0-else 7' }],
  ['a later incarnation of another service', '1-test', { counter: '1-test 1', other: '2-late 1' }],
])('U2: nothing is read if Redis knows of %s', async (_, id, known) => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  await sql`update incarnation set id = ${id}, beats = 5`
  await redis.hset(incarnationsKey(prefix), known)
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  expect(incarnation.fault).toContain('npm run restored')
  await expect(incarnation.untilCurrent()).rejects.toThrow('npm run restored')
})

test('U2: a service notices that another service’s tables in its database have gone back', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  await sql`update incarnation set id = '0-mine', beats = 5`
  const incarnation = new Incarnation({
    service: 'other',
    services: ['other', 'counter'],
    redisPrefix: prefix,
    log: { error() {} },
  })
  await redis.hset(incarnationsKey(prefix), { other: '0-mine 1', counter: '0-mine 6' })
  await incarnation.look(sql, redis)
  expect(incarnation.fault).toContain('6 renewals of counter, the database of 5')
})
