import postgres from 'postgres'
import { expect, inject, test } from 'vitest'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { closePostgres, isDataError, isTransient, openPostgres } from './postgres.ts'
import { openRuntime, range } from './testing/runtime.ts'

const open = (url = inject('postgresUrl')) => openPostgres(url, { schema: 'pg_monitor', max: 1 })

test.each<[string, unknown[]]>([
  ['int', [1, -2, null, 2_147_483_647]],
  ['smallint', [1, -2]],
  ['bigint', [1, Number.MAX_SAFE_INTEGER, null]],
  ['float8', [0.5, -1e300]],
  ['text', ['', 'a "quoted", \\ {braced} 책', 'NULL', null, '\\"', "it's"]],
  ['text', ['[{"title":"a \\"quoted\\" \\\\ title"}]', '\\n', 'plain']],
  ['text', ['a\nbreak', '\ttab', '\u0001', '\\n', '{"note":"a\\nbreak"}', '\\']],
  ['uuid', ['0198c0de-0000-7000-8000-000000000001', null]],
  ['text', []],
])('an array of %s arrives as it was sent', async (type, values) => {
  const sql = open()
  const [row] = await sql`select to_json(${values as string[]}::${sql.unsafe(type)}[]) as them`
  expect(row!.them).toEqual(values)
  await closePostgres(sql)
})

test('an array of times is sent as text', async () => {
  const sql = open()
  const time = '2026-01-02T03:04:05.678Z'
  const [row] = await sql`select (${[time]}::timestamptz[])[1] as it`
  expect(row!.it).toEqual(new Date(time))
  await closePostgres(sql)
})

test('a bigint is read as a number, or refused when it is too large', async () => {
  const sql = open()
  expect((await sql`select ${2 ** 40}::bigint as it`)[0]!.it).toBe(2 ** 40)
  await closePostgres(sql)
})

// An uncaught error would end the process, and the test.
test.each(range(6, 1))('a connection that is lost at its request %i fails nothing else', async (nth) => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = open(wire.url)
  let seen = 0
  void wire.swallowReply(() => ++seen === nth)
  for (const _ of range(3)) await sql`select 1`.catch((error) => expect(isTransient(error)).toBe(true))
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})

test('a connection that the server ends during setup fails only its statement', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const [server, admin] = [
    postgres(inject('postgresUrl'), { max: 1 }),
    postgres(runtime.postgresUrl, { max: 1 }),
  ]
  // The first query of a new connection waits for this lock.
  await admin.unsafe('begin; lock table pg_catalog.pg_type in access exclusive mode')
  const sql = openPostgres(runtime.postgresUrl, { schema: 'counter', max: 1 })
  const failed = sql`select 1`.catch((error) => error)
  const database = new URL(runtime.postgresUrl).pathname.slice(1)
  await expect
    .poll(
      () => server`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = ${database} and wait_event_type = 'Lock' and backend_type = 'client backend'`,
    )
    .toHaveLength(1)
  await admin.unsafe('rollback')
  expect(await failed).toSatisfy(isTransient)
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await Promise.all([server.end(), admin.end(), closePostgres(sql)])
})

test('a statement does not get the error of the previous one, whose backend was ended', async () => {
  const server = postgres(inject('postgresUrl'), { max: 1 })
  const sql = open()
  const [{ pid }] = (await sql`select pg_backend_pid() as pid`) as [{ pid: number }]
  const sleeping = sql`select pg_sleep(10)`.catch((error) => error)
  const asleep = () => server`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`
  await expect.poll(asleep).toHaveLength(1)
  await server`select pg_terminate_backend(${pid})`
  expect(isTransient(await sleeping)).toBe(true)
  expect(await sql`select ${1}::int as one`).toEqual([{ one: 1 }])
  await Promise.all([server.end(), closePostgres(sql)])
})

test('a statement does not get the data error of the previous one, which was cut off', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = open(wire.url)
  await sql`select 1`
  // Postgres has already refused the first statement when the driver settles it.
  const swallowed = wire.swallowReply((bytes) => bytes.equals(sync))
  const refused = sql`select 'x'::int, ${1}::int`.catch((error) => error)
  await swallowed
  expect(isTransient(await refused)).toBe(true)
  expect(await sql`select ${1}::int as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})
const sync = Buffer.from('S\0\0\0\u0004')

test('a statement that fails by itself is sent once', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql } = runtime
  await sql`create sequence attempt`
  await expect(sql`select (nextval('attempt') || 'x')::int`).rejects.toSatisfy(isDataError)
  expect(await sql`select nextval('attempt') as it`).toEqual([{ it: 2 }])
})

test.each([undefined, {}])('an array with %s in it is not sent', async (value) => {
  const sql = open()
  const sent = sql`select to_json(${[value] as unknown as string[]}::text[]) as it`
  await expect(sent).rejects.toThrow('Cannot send an array')
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})

test('an array in a row is refused, not returned as text', async () => {
  const sql = open()
  await expect(sql`select array['a'] as it`).rejects.toThrow('select it as JSON')
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})

test('a service sees only its own schema, and has only its own role’s rights', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const admin = postgres(runtime.postgresUrl, { max: 1 })
  await admin`create table public.secret (it int)`
  await admin.end()
  expect((await runtime.sql`select current_user as who`)[0]!.who).toBe('counter')
  await expect(runtime.sql`select * from secret`).rejects.toMatchObject({ code: '42P01' })
  await expect(runtime.sql`select * from public.secret`).rejects.toMatchObject({ code: '42501' })
})

test('data errors and transient errors are distinguished', async () => {
  const sql = open()
  const failing = (text: string) => sql.unsafe(text).catch((error) => error)
  const refused = await failing("select 'x'::int")
  expect([isDataError(refused), isTransient(refused)]).toEqual([true, false])
  const nowhere = open('postgres://nobody@127.0.0.1:1/nothing')
  const unreachable = await nowhere`select 1`.catch((error) => error)
  expect([isDataError(unreachable), isTransient(unreachable)]).toEqual([false, true])
  const wrong = await failing('select nothing from nowhere')
  expect([isDataError(wrong), isTransient(wrong)]).toEqual([false, false])
  await sql.unsafe('set default_transaction_read_only = on')
  const readOnly = await failing('create table public.nothing ()')
  expect(readOnly.code).toBe('25006')
  expect([isDataError(readOnly), isTransient(readOnly)]).toEqual([false, true])
  expect([isDataError(null), isTransient(undefined)]).toEqual([false, false])
  await closePostgres(sql)
})
