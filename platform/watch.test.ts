/** The metrics of real processes about their stores. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../tests/doubles/eventually.ts'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { type System, startSystem } from '../tests/harness/system.ts'
import type { ServiceName } from './config.ts'

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
  await system.processes.stock[0]!.start()
  await until('reservation', 'bookreservation_reservations_undecided_seconds', (age) => age === 0)
})

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
  // Longer than the interval between two reads.
  await eventually(async () => (await blocked()).some((it) => it.seconds > 1.5))
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
  await redis.stop()
  await everyServiceShows(0)
  expect(await sample('stock', 'bookreservation_store_up', 'postgres')).toBe(1)
  await redis.start()
  await everyServiceShows(1)
})
