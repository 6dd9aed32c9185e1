/** The metrics of real processes about their stores. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../tests/doubles/eventually.ts'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { type System, startSystem } from '../tests/harness/system.ts'
import { type ServiceName, serviceNames } from './config.ts'

let redis: OwnServer
let system: System
beforeAll(async () => {
  redis = await OwnServer.redis()
  system = await startSystem({ redisUrl: redis.url, partitions: 2 })
})
afterAll(async () => {
  const faults = await system.stop()
  await redis[Symbol.asyncDispose]()
  expect(faults).toEqual([])
})

/** @returns the value of a sample, by its name and a label other than `service`. */
async function sample(service: ServiceName, name: string, label = ''): Promise<number | undefined> {
  const text = await (await fetch(`${system.opsUrl(service)}/metrics`)).text()
  const line = text.split('\n').find((it) => it.startsWith(`${name}{`) && it.includes(label))
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')))
}

const until = (service: ServiceName, name: string, is: (value: number) => boolean, label = '') =>
  eventually(async () => is((await sample(service, name, label)) ?? Number.NaN), {
    message: `${name} of ${service} never reached the expected value`,
  })

test('an unanswered reservation counts with its age until it is decided', async () => {
  expect(await sample('reservation', 'bookreservation_reservations_undecided_seconds')).toBe(0)
  await system.processes.stock[0]!.stop()
  await system.reservation.post('/reservations', { bookid: 'b', userid: 'u' })
  await until('reservation', 'bookreservation_reservations_undecided_seconds', (age) => age > 0.5 && age < 60)
  expect(await sample('reservation', 'bookreservation_accept_duration_seconds_count')).toBe(1)
  await eventually(async () => (await unconfirmed()).count === 1)
  expect((await unconfirmed()).oldestSeconds).toBeGreaterThan(0.5)
  await system.processes.stock[0]!.start()
  await until('reservation', 'bookreservation_reservations_undecided_seconds', (age) => age === 0)
  await eventually(async () => (await unconfirmed()).count === 0)
  expect(await unconfirmed()).toMatchObject({ oldestSeconds: null })
})

const unconfirmed = async () => {
  type Backlog = { _embedded: { backlog: { name: string; count: number; oldestSeconds: number | null }[] } }
  const { body } = await system.reservation.get<Backlog>('/backlog')
  return body._embedded.backlog.find((it) => it.name === 'UnconfirmedCommands')!
}

type Partition = { partition: number; owner: string; lag: number | null; lagError: string | null }
const partitionsOf = async (service: ServiceName) => {
  const { body, tookMs } = await system[service].get<{ _embedded: { partitions: Partition[] } }>(
    '/partitions',
  )
  return { partitions: body._embedded.partitions, tookMs }
}

test('dead letters are counted as long as they exist', async () => {
  await system.sql`
    insert into stock.dead_letter (partition, position, reason, fields) values (0, '1-0', 'no', '{}'), (1, '1-0', 'no', '{}')`
  await until('stock', 'bookreservation_mailbox_dead_letters_waiting', (count) => count === 2)
  await system.sql`delete from stock.dead_letter`
  await until('stock', 'bookreservation_mailbox_dead_letters_waiting', (count) => count === 0)
})

test('a locked table blocks no request, and does not make the store count as down', async () => {
  const lock = await system.sql.reserve()
  await lock`begin`
  await lock`lock table stock.dead_letter in access exclusive mode`
  const blocked = () => system.sql<{ seconds: number }[]>`
    select extract(epoch from clock_timestamp() - query_start)::float as seconds from pg_stat_activity
    where application_name = 'bookreservation-stock' and wait_event_type = 'Lock' and query like '%count(*)%'`
  // The metrics are read again and again meanwhile, and answered with what was read last.
  await eventually(async () => {
    await sample('stock', 'bookreservation_store_up', 'postgres')
    return (await blocked()).some((it) => it.seconds > 1.5)
  })
  expect(await blocked()).toHaveLength(1)
  expect(await sample('stock', 'bookreservation_store_up', 'postgres')).toBe(1)
  await lock`rollback`
  lock.release()
})

test('every service reports a store that goes down, and its return', async () => {
  const everyServiceShows = (value: number) =>
    Promise.all(
      (['reservation', 'stock', 'notifier'] as const).map((service) =>
        until(service, 'bookreservation_store_up', (it) => it === value, 'redis'),
      ),
    )
  await everyServiceShows(1)
  for (const service of serviceNames) await eventually(async () => (await lagsOf(service)).join() === '0,0')
  // A server that hangs, and one that is gone.
  redis.signal('SIGSTOP')
  for (const service of serviceNames) await expectNoLags(service)
  redis.signal('SIGCONT')
  await redis.stop()
  await everyServiceShows(0)
  expect(await sample('stock', 'bookreservation_store_up', 'postgres')).toBe(1)
  for (const service of serviceNames) await expectNoLags(service)
  await redis.start()
  await everyServiceShows(1)
  for (const service of serviceNames) await eventually(async () => (await lagsOf(service)).join() === '0,0')
})

const lagsOf = async (service: ServiceName) => (await partitionsOf(service)).partitions.map((it) => it.lag)

async function expectNoLags(service: ServiceName): Promise<void> {
  const { partitions, tookMs } = await partitionsOf(service)
  expect(tookMs).toBeLessThan(2_000)
  const unknown = { lag: null, pending: null, lagError: 'Redis does not answer.', owner: expect.any(String) }
  expect(partitions).toMatchObject([
    { partition: 0, ...unknown },
    { partition: 1, ...unknown },
  ])
}
