/** Unusual settings of a database server do not change the system's behavior. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, expect, inject, test } from 'vitest'
import { migrate } from '../deploy/ops/migrate.ts'
import { asHttpie } from './doubles/httpie.ts'
import { receive, reserve } from './harness/acts.ts'
import { withDatabase } from './harness/database.ts'
import { canceledNotice, makeOriginalCalls, noticesShown, reservedNotice } from './harness/original-calls.ts'
import { startOwnSystem } from './harness/system.ts'

const hostile: Record<string, string> = {
  DateStyle: 'German, DMY',
  TimeZone: 'Asia/Kathmandu',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  backslash_quote: 'on',
  array_nulls: 'off',
  transform_null_equals: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  client_encoding: 'LATIN1',
  client_min_messages: 'debug1',
  search_path: 'pg_catalog',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '50ms',
  synchronous_commit: 'off',
  exit_on_error: 'on',
  plan_cache_mode: 'force_custom_plan',
  enable_indexscan: 'off',
  enable_nestloop: 'off',
  lc_numeric: 'C',
  xmloption: 'document',
  row_security: 'on',
  quote_all_identifiers: 'on',
  check_function_bodies: 'off',
}

const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
afterAll(() => server.end())

async function makeHostile(database: string): Promise<void> {
  for (const [name, value] of Object.entries(hostile))
    await server.unsafe(`alter database "${database}" set ${name} = '${value}'`)
}

test('with hostile database settings, the main scenario passes and times are right', async (context) => {
  await using system = await startOwnSystem(context, { started: false })
  await makeHostile(system.redisPrefix)
  await system.start()
  await makeOriginalCalls(system, asHttpie)
  expect(await noticesShown(system, reservedNotice, 'test1')).toBe(1)
  expect(await noticesShown(system, canceledNotice, 'test1')).toBe(1)

  const bookid = 'a\\"{,}b'
  await receive(system, bookid, 1)
  const { reservationid } = await reserve(system.reservation, bookid, 'reader')
  const answer = await fetch(`${system.reservation.url}/reservations/${reservationid}`)
  const times = JSON.stringify(await answer.json()).match(/\d{4}-\d\d-\d\dT[^"]+/g) ?? []
  expect(times.length).toBeGreaterThan(0)
  for (const time of times) expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000)
}, 90_000)

test('a database with hostile settings can be migrated', async () => {
  const name = `hostile_${randomBytes(5).toString('hex')}`
  await server.unsafe(`create database ${name}`)
  await makeHostile(name)
  const lines: string[] = []
  const databaseUrl = withDatabase(inject('postgresUrl'), name)
  await migrate({ databaseUrl, partitions: 2, log: (line) => lines.push(line) })
  expect(lines.filter((it) => it.includes('applied')).length).toBeGreaterThan(5)
  await server.unsafe(`drop database ${name} with (force)`)
})
