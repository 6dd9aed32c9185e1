import { expect, test, vi } from 'vitest'
import { toFields } from './envelope.ts'
import { Incarnation, incarnationsKey, toMarks } from './incarnation.ts'
import { SetupError } from './setup.ts'
import { envelopeOf } from './testing/counter.ts'
import { openRuntime, type Runtime } from './testing/runtime.ts'

const marksOf = async ({ redis, prefix }: Runtime) => toMarks(await redis.hgetall(incarnationsKey(prefix)))
const beats = ({ sql }: Runtime) => sql<{ id: string; beats: number }[]>`select id, beats from incarnation`
const goBack = ({ sql }: Runtime, to: number) => sql`update incarnation set beats = ${to}`
const begin = ({ sql }: Runtime, id: string) => sql`update incarnation set id = ${id}`

/** Worked until a few beats were counted, and stopped. */
async function worked(runtime: Runtime): Promise<number> {
  const worker = runtime.worker()
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  await worker.stop()
  return (await beats(runtime))[0]!.beats
}

test('U2: what a worker has counted in Postgres is known to Redis once it has stopped', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const count = await worked(runtime)
  const { id } = (await beats(runtime))[0]!
  expect(id).toMatch(/^0-/)
  expect((await marksOf(runtime)).get('counter')).toEqual({ id, beats: count })
})

test('U2: a worker whose database has gone back by a single beat reads nothing, counts no beat, and says what to run', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const count = await worked(runtime)
  await goBack(runtime, count - 1)
  await runtime.post(0, 2)
  const worker = runtime.worker()
  await runtime.until(() => worker.has('npm run restored'))
  await worker.stop()
  expect(await runtime.values()).toEqual([1])
  expect(await beats(runtime)).toMatchObject([{ beats: count - 1 }])
})

test('U2: a worker notices while it works that its database was replaced by an older one', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const worker = runtime.worker()
  const counted = async () => ((await marksOf(runtime)).get('counter')?.beats ?? 0) > 1
  await vi.waitUntil(counted, { timeout: 10_000 })
  await goBack(runtime, 0)
  await runtime.until(() => worker.has('npm run restored'))
  await runtime.post(0, 1)
  await worker.stop()
  expect(await runtime.values()).toEqual([])
})

test('U2: a process that counted after another one has noted its beat is not taken for one that went back', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const [first, second] = [runtime.incarnation(), runtime.incarnation()]
  const { sql, redis } = runtime
  await first.look(sql, redis)
  await second.look(sql, redis)
  const { id } = (await beats(runtime))[0]!
  await sql`update incarnation set beats = 2`
  await second.note(sql, redis, { id, beats: 2 })
  await first.note(sql, redis, { id, beats: 1 })
  expect([first.fault, second.fault]).toEqual([undefined, undefined])
  expect((await marksOf(runtime)).get('counter')?.beats).toBe(2)
})

test('U2: a loss that the count has caught up with is not forgotten', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis } = runtime
  const [id, first] = ['0-mine', runtime.incarnation()]
  await sql`update incarnation set id = ${id}, beats = 5`
  await first.look(sql, redis)
  await goBack(runtime, 4)
  await goBack(runtime, 5)
  // What a renewal counts on a database that lacks one beat: no more than was counted before.
  first.counted(sql, redis, { id, beats: 5 }, first.last)
  expect(first.fault).toContain('npm run restored')
  await vi.waitUntil(async () => ((await marksOf(runtime)).get('counter')?.beats ?? 0) > 5)
  await first.look(sql, redis)
  expect(first.fault).toContain('npm run restored')
  await begin(runtime, '1-next')
  const second = runtime.incarnation()
  await second.look(sql, redis)
  expect(second.fault).toBeUndefined()
})

test('U2: a beat that another look has found already is no sign of a loss', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis } = runtime
  await sql`update incarnation set id = '0-mine', beats = 5`
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  const before = incarnation.last
  await sql`update incarnation set beats = 6`
  await incarnation.look(sql, redis)
  incarnation.counted(sql, redis, { id: '0-mine', beats: 6 }, before)
  expect(incarnation.fault).toBeUndefined()
})

test('U2: a service that works notices that another one is of a later incarnation', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  await redis.hset(incarnationsKey(prefix), 'other', '1-late 1')
  incarnation.counted(sql, redis, { ...incarnation.last!, beats: 1 }, undefined)
  await vi.waitUntil(() => incarnation.fault !== undefined)
  expect(incarnation.fault).toContain('other was at incarnation 1-late')
})

test('U1: after a restore messages of the time before have no effect, and those that come after do', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await worked(runtime)
  await runtime.post(0, 2, 3)
  await begin(runtime, '1-test')
  const worker = runtime.worker()
  await runtime.until(() => worker.has('passed messages of another incarnation'))
  const stamped = { ...envelopeOf('x', 'Count', runtime.subject(0), { value: '4' }), incarnation: '1-test' }
  await runtime.redis.xadd(runtime.key(0), '*', ...toFields([stamped]))
  await runtime.untilCounted(2)
  expect(await runtime.values()).toEqual([1, 4])
  expect(await runtime.sql`select from dead_letter`).toHaveLength(0)
  await runtime.until(async () => (await runtime.published(0)).length === 2)
  const entries = await runtime.redis.xrange(runtime.eventLog.key(0), '-', '+')
  for (const [, [, batch]] of entries) expect(JSON.parse(batch!)).toMatchObject([{ incarnation: '1-test' }])
})

test('U3: a worker ends when its database is given another incarnation', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const ended = runtime.incarnation()
  const { sql, redis } = runtime
  await ended.look(sql, redis)
  ended.counted(sql, redis, { id: '1-test', beats: 1 }, ended.last)
  expect(() => ended.assertSame()).toThrow(SetupError)
  expect(ended.isCurrent).toBe(false)
})

test('a database that Redis has never met, though it knows another one of the service, begins an incarnation of its own', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await runtime.redis.hset(incarnationsKey(runtime.prefix), 'counter', '3-other 500')
  await runtime.post(0, 1)
  const worker = runtime.worker()
  await runtime.until(() => worker.has('passed messages of another incarnation'))
  expect((await beats(runtime))[0]!.id).toMatch(/^4-/)
  expect(await runtime.values()).toEqual([])
})

test.each([
  ['a later incarnation', '1-test', { counter: '2-late 7' }],
  ['another incarnation of the same number', '1-test', { counter: '1-else 7' }],
  ['another database', '0-mine', { counter: '0-else 7' }],
  ['a later incarnation of another service', '1-test', { counter: '1-test 1', other: '2-late 1' }],
])('U2: where Redis knows of %s nothing is read', async (_, id, known) => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql, redis, prefix } = runtime
  await sql`update incarnation set id = ${id}, beats = 5`
  await redis.hset(incarnationsKey(prefix), known)
  const incarnation = runtime.incarnation()
  await incarnation.look(sql, redis)
  expect(incarnation.fault).toContain('npm run restored')
  await expect(incarnation.untilCurrent()).rejects.toThrow('npm run restored')
})

test('U2: a service notices that the tables of another one in its database have gone back', async () => {
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
  expect(incarnation.fault).toContain('6 beats of counter, and it of 5')
})
