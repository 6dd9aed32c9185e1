/** The checks of a migration, before it changes anything. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { serviceNames } from '../../platform/config.ts'
import { adviceOn, faultsOfNode, faultsOfPostgres, parseInfo } from '../../streams/requirements.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { OwnServer } from '../../tests/doubles/own-server.ts'
import { receive } from '../../tests/harness/acts.ts'
import { withDatabase } from '../../tests/harness/database.ts'
import { startOwnSystem } from '../../tests/harness/system.ts'
import { compileCache } from '../local/service.ts'
import { migrate } from './migrate.ts'
import { migrationsOf } from './migrations.ts'

const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
const made: string[] = []
afterAll(async () => {
  for (const name of made) await server`drop database if exists ${server(name)} with (force)`
  await server.end()
})

/** @param how options of `create database`. */
async function database(how = ''): Promise<{ url: string; name: string }> {
  const name = `migrate_${randomBytes(5).toString('hex')}`
  made.push(name)
  await server.unsafe(`create database ${name} ${how}`)
  return { name, url: withDatabase(inject('postgresUrl'), name) }
}

const latin1 = `encoding 'LATIN1' locale_provider libc locale 'C' template template0`
const faultOf = (options: Parameters<typeof migrate>[0]) =>
  migrate(options).then(
    () => undefined,
    (error: Error) => `${error.name}: ${error.message}`,
  )

/** Schemas that a migration would have created. */
async function schemasOf(url: string): Promise<number> {
  const sql = postgres(url, { max: 1 })
  const found = await sql`select from pg_namespace where nspname in ('reservation', 'stock', 'notifier')`
  await sql.end()
  return found.count
}

test('an unsuitable database is refused with every fault, and nothing changes', async () => {
  const { url, name } = await database(latin1)
  await server.unsafe(`alter database ${name} set default_transaction_read_only = on`)
  await server.unsafe(`alter database ${name} set session_replication_role = replica`)
  await server.unsafe(`alter database ${name} set transaction_timeout = '1h'`)
  const fault = await faultOf({ databaseUrl: url, partitions: 2 })
  expect(fault).toContain('SetupError: Cannot migrate: ')
  expect(fault).toContain(
    'encoding is LATIN1, which cannot store every title: create one with create database',
  )
  expect(fault).toContain('the database is read-only (default_transaction_read_only is on)')
  expect(fault).toContain('session_replication_role is replica')
  expect(fault).toContain('transaction_timeout is 1h')
  expect(await schemasOf(url)).toBe(0)
})

test('a service with an unsuitable database logs it and exits', async () => {
  // The roles exist already: they belong to the whole server.
  await migrate({ databaseUrl: (await database()).url, partitions: 2 })
  const { url } = await database(latin1)
  const { stdout, code } = await run('actors/stock/main.ts', {
    DATABASE_URL: url,
    REDIS_URL: inject('redisUrl'),
  })
  expect(stdout).toContain("Cannot start: the database's encoding is LATIN1")
  expect(code).toBe(1)
})

test('errors caused by a pooler are explained', async () => {
  const refused = Object.assign(new Error('unsupported startup parameter: role'), { code: '08P01' })
  expect(adviceOn(refused)).toContain(
    'leads to a pooler (unsupported startup parameter: role): name Postgres itself',
  )
  // As if the connection's startup parameters were ignored.
  expect(await faultsOfPostgres(server)).toEqual([
    'DATABASE_URL leads to a pooler that ignores the parameters of a connection: name Postgres itself',
  ])
})

test('a user without the rights to create roles and schemas is refused with both faults', async () => {
  const { url, name } = await database()
  const role = `guest_${randomBytes(4).toString('hex')}`
  await server.unsafe(
    `create role ${role} login password 'x'; revoke all on database ${name} from public; grant connect on database ${name} to ${role}`,
  )
  const own = new URL(url)
  own.username = role
  own.password = 'x'
  const fault = await faultOf({ databaseUrl: own.href, partitions: 2 })
  expect(fault).toContain(`${role} may not create schemas`)
  await server.unsafe(`drop owned by ${role}; drop role ${role}`).catch(() => {})
})

test('the command refuses a number of partitions other than the first', async () => {
  const { url } = await database()
  await migrate({ databaseUrl: url, partitions: 2 })
  const { stderr, code } = await run('deploy/ops/migrate.ts', { DATABASE_URL: url, PARTITIONS: '16' })
  expect(stderr).toBe(
    'Cannot migrate: PARTITIONS is 16, but the database was migrated with 2. The number is fixed by the first migration\n',
  )
  expect(code).toBe(1)
  expect(await run('deploy/ops/migrate.ts', { DATABASE_URL: url, PARTITIONS: '2' })).toMatchObject({
    code: 0,
  })
})

test('--status lists what is applied and what is missing, and changes nothing', async () => {
  const { url } = await database()
  const fresh = await run('deploy/ops/migrate.ts', { DATABASE_URL: url }, ['--status'])
  expect(fresh.code).toBe(1)
  expect(fresh.stdout).toContain('stock       missing                  0001-stock.sql')
  expect(await schemasOf(url)).toBe(0)

  await migrate({ databaseUrl: url, partitions: 2 })
  const sql = postgres(url, { max: 1 })
  await sql`insert into stock.migration (name) values ('9999-later.sql')`
  const { stdout, code } = await run('deploy/ops/migrate.ts', { DATABASE_URL: url }, ['--status'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^stock +20\S+Z 0001-stock\.sql$/m)
  expect(stdout).toMatch(/^stock +20\S+Z 9999-later\.sql, of another version$/m)
  expect(stdout).not.toContain('missing')
  await sql.end()
})

test('--wait waits for stores that are still starting, prints for which, and then migrates', async () => {
  await using late = await OwnServer.redis()
  await late.stop()
  const { url } = await database()
  const password = 'sixteen-characters'
  const passwords = serviceNames.map((it) => [`${it.toUpperCase()}_REDIS_PASSWORD`, password])
  const env = { DATABASE_URL: url, PARTITIONS: '2', REDIS_URL: late.url, ...Object.fromEntries(passwords) }
  const said = Promise.withResolvers<void>()
  const migrated = run('deploy/ops/migrate.ts', env, ['--wait=15'], (text) => {
    if (text.includes('Waiting for Redis, for up to 15 s: connect ECONNREFUSED')) said.resolve()
  })
  await said.promise
  await late.start()
  expect(await migrated).toMatchObject({ code: 0, stderr: '' })
})

test('--wait ends when its time is over, with the reason; without it, a store that is down is an error at once', async () => {
  const env = { DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }
  const waited = await run('deploy/ops/migrate.ts', env, ['--wait=1'])
  expect(waited.stdout).toContain('Waiting for Postgres, for up to 1 s: connect ECONNREFUSED 127.0.0.1:1')
  expect(waited.stderr).toContain('ECONNREFUSED')
  expect(waited.code).toBe(1)
  const { stdout, code } = await run('deploy/ops/migrate.ts', env)
  expect({ stdout, code }).toEqual({ stdout: '', code: 1 })
  expect(await run('deploy/ops/migrate.ts', env, ['--wait=soon'])).toMatchObject({
    code: 1,
    stderr: '--wait must be a number of seconds from 1 to 9999, not "soon"\n',
  })
})

test('--help explains the command and needs no settings', async () => {
  expect(await run('deploy/ops/migrate.ts', {}, ['--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('npm run migrate -- --status'),
  })
})

test('a database of the version before is recognized, and gets only what it lacks', async () => {
  const { url } = await database()
  await migrate({ databaseUrl: url, partitions: 2 })
  // As the version before recorded it, in its own order, and before a migration was added.
  const sql = postgres(url, { max: 1 })
  const names = migrationsOf('notifier').map(({ name }) => `('${name}')`)
  await sql.unsafe(`drop table notifier.migration; set role notifier;
    create table notifier.migration (name text primary key, at timestamptz not null default now());
    insert into notifier.migration (name) values ${names.toReversed().join(', ')};
    reset role; delete from stock.migration where name = '0001-idempotency.sql';
    drop table stock.idempotency`)
  const lines: string[] = []
  await migrate({ databaseUrl: url, partitions: 2, log: (line) => lines.push(line) })
  expect(lines.filter((line) => line.includes('applied'))).toEqual(['stock: applied 0001-idempotency.sql'])
  await sql.end()
})

test('no two migrations of a service have the same name, by which applied ones are recorded', () => {
  for (const service of serviceNames) {
    const names = migrationsOf(service).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toContain(`0001-${service}.sql`)
  }
})

test('a migration that waits for another logs whose it is', async () => {
  const { url } = await database()
  const other = postgres(url, { max: 1 })
  const [{ pid }] = await other<[{ pid: number }]>`
    select pg_backend_pid() as pid from (select pg_advisory_lock(hashtext('bookreservation.migrate'))) as it`
  const waits = Promise.withResolvers<string>()
  const migrated = migrate({ databaseUrl: url, partitions: 2, log: waits.resolve })
  expect(await waits.promise).toBe(
    `Waiting for another migration, by user postgres in Postgres process ${pid}`,
  )
  await other.end()
  await migrated
  expect(await schemasOf(url)).toBe(3)
})

test('a Postgres that is too old is refused', async () => {
  const { url } = await database()
  const sql = postgres(url, { max: 1 })
  const facts = async (query: string) => {
    const row = (await sql.unsafe(query))[0]!
    return [{ ...row, arrived: 'pinned', version: 140_019, shown: '14.19' }]
  }
  expect(await faultsOfPostgres({ unsafe: facts as never })).toEqual([
    'Postgres is 14.19, and 15 is the oldest supported version: use a newer server',
  ])
  await sql.end()
})

let redis: OwnServer
beforeAll(async () => {
  redis = await OwnServer.redis()
})
afterAll(() => redis[Symbol.asyncDispose]())

test('a Redis that may evict streams is refused together with the faults of Postgres', async () => {
  const admin = new Redis(redis.url)
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
  const { url } = await database(latin1)
  const fault = await faultOf({ databaseUrl: url, partitions: 2, redisUrl: redis.url })
  expect(fault).toContain('LATIN1')
  expect(fault).toContain('maxmemory-policy is allkeys-lru): set it to noeviction')
  await admin.config('SET', 'maxmemory-policy', 'volatile-lru')
  const good = await database()
  expect(await faultOf({ databaseUrl: good.url, partitions: 2, redisUrl: redis.url })).toBeUndefined()
  admin.disconnect()
})

test('a service warns about such a Redis, and works', async (context) => {
  const admin = new Redis(redis.url)
  const options = { redisUrl: redis.url, reservation: 0, notifier: 0, started: false }
  await using system = await startOwnSystem(context, options)
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
  admin.disconnect()
  await system.start()
  await eventually(() => system.tail().includes('Redis may evict streams'))
  expect(await receive(system, 'book', 3)).toMatchObject({ qty: 3 })
})

test('an unreachable Redis stops no migration that does not need it', async () => {
  const { url } = await database()
  const lines: string[] = []
  const redisUrl = 'redis://127.0.0.1:1'
  await migrate({ databaseUrl: url, partitions: 2, redisUrl, log: (line) => lines.push(line) })
  expect(lines.join('\n')).toContain('cannot be checked: connect ECONNREFUSED')
})

test.each<[info: string, cluster: boolean, fault: string | undefined]>([
  [
    'redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0',
    false,
    undefined,
  ],
  ['redis_version:7.2.4\r\nvalkey_version:9.1.0', false, undefined],
  ['', false, undefined],
  ['redis_version:6.2.14', false, 'Redis is 6.2.14, and 7.0 is the oldest supported version'],
  ['role:slave', true, 'Redis is a replica'],
  ['cluster_enabled:1', false, 'redis+cluster://'],
  ['cluster_enabled:1', true, undefined],
  ['maxmemory_policy:allkeys-random', false, 'allkeys-random'],
])('a node that says %j: %s', (info, cluster, fault) => {
  const found = faultsOfNode(parseInfo(info), cluster)
  if (fault === undefined) expect(found).toEqual([])
  else expect(found.join()).toContain(fault)
})

function run(
  script: string,
  env: Record<string, string>,
  args: string[] = [],
  onOutput: (text: string) => void = () => {},
) {
  return new Promise<{ stdout: string; stderr: string; code: number }>((resolve) => {
    const options = { env: { ...compileCache, ...env }, timeout: 20_000 }
    const child = execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: error ? Number(error.code) : 0 }),
    )
    child.stdout?.on('data', onOutput)
  })
}
