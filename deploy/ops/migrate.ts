/**
 * Brings a database up to date: a role, a schema and its tables for each service. Given passwords, it also lets each
 * service log in to Postgres and Redis as itself (`accounts/`). `npm start` and a Kubernetes Job run it, or you: `npm
 * run migrate`. Running it again changes nothing.
 */
import { readFile } from 'node:fs/promises'
import type postgres from 'postgres'
import { Umzug } from 'umzug'
import {
  ConfigError,
  type Passwords,
  readEnv,
  type ServiceName,
  serviceNames,
  toConfig,
} from '../../platform/config.ts'
import { openAsAdministrator, openPostgres, type Sql } from '../../streams/postgres.ts'
import { checkStores, explained } from './accounts/check-stores.ts'
import { letRolesLogIn } from './accounts/database-roles.ts'
import { createRedisUsers } from './accounts/redis-users.ts'
import { runCommand } from './command.ts'

const runtime = new URL('../../streams/migrations/', import.meta.url)
const http = new URL('../../platform/http/migrations/', import.meta.url)

/** In order. A released file is never edited; the next change is a new file. */
const files: Record<ServiceName, URL[]> = {
  reservation: [
    new URL('0001-mailbox.sql', runtime),
    new URL('0001-idempotency.sql', http),
    new URL('../../actors/reservation/migrations/0001-reservation.sql', import.meta.url),
    new URL('../../actors/reservation/migrations/0002-lot.sql', import.meta.url),
    new URL('../../actors/reservation/migrations/0003-book-search.sql', import.meta.url),
    new URL('../../actors/reservation/migrations/0004-book-search-fill.sql', import.meta.url),
    new URL('0003-incarnation.sql', runtime),
    new URL('../../actors/reservation/migrations/0005-book-search-letters.sql', import.meta.url),
    new URL('../../actors/reservation/migrations/0007-standing.sql', import.meta.url),
  ],
  stock: [
    new URL('0001-mailbox.sql', runtime),
    new URL('0002-event-log.sql', runtime),
    new URL('0001-idempotency.sql', http),
    new URL('../../actors/stock/migrations/0001-stock.sql', import.meta.url),
    new URL('0003-incarnation.sql', runtime),
    new URL('0004-event-batch.sql', runtime),
  ],
  notifier: [
    new URL('0001-mailbox.sql', runtime),
    new URL('0001-idempotency.sql', http),
    new URL('../../actors/notifier/migrations/0001-notifier.sql', import.meta.url),
    new URL('../../actors/notifier/migrations/0002-delivery.sql', import.meta.url),
    new URL('0003-incarnation.sql', runtime),
    new URL('../../actors/notifier/migrations/0003-channels.sql', import.meta.url),
  ],
}

/** Migrations that a service of this version needs before it starts. */
export const migrationsOf = (service: ServiceName): string[] =>
  files[service].map((url) => url.pathname.split('/').at(-1)!)

export type MigrateOptions = {
  /** Its user may create roles and schemas. */
  databaseUrl: string
  /** How many partitions to create. A database with another number is refused. */
  partitions: number
  /** With these the services' roles can log in; without, roles stay as they are. */
  databasePasswords?: Passwords | undefined
  /** With these each service gets a Redis user; without, Redis users stay as they are. */
  redisPasswords?: Passwords | undefined
  /** Checked if it can be reached. With `redisPasswords` its user may create users. */
  redisUrl?: string | undefined
  redisPrefix?: string
  log?: (line: string) => void
}

/**
 * @throws {SetupError} with every fault, before anything changes, when a store is unsuitable.
 * @throws when a migration fails: that file changes nothing, earlier files stay applied.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { databaseUrl, partitions, databasePasswords, log = () => {} } = options
  const admin = openAsAdministrator(databaseUrl)
  try {
    // Concurrent migrations wait for each other; the lock ends with the connection.
    await takeTurn(admin, log)
    await checkStores(admin, options)
    for (const service of serviceNames) {
      await createRoleAndSchema(admin, service)
      await using sql = disposable(openPostgres(databaseUrl, { schema: service, max: 1, partitions }))
      const applied = await migrations(sql.it, service).up()
      for (const { name } of applied) log(`${service}: applied ${name}`)
    }
    for (const service of serviceNames) await letOthersSeeBeats(admin, service)
    if (databasePasswords) {
      await letRolesLogIn(admin, databasePasswords)
      log(`Postgres: ${serviceNames.join(', ')} can log in`)
    }
    await migrateRedis(options)
  } catch (error) {
    throw explained(error)
  } finally {
    await admin.end({ timeout: 2 })
  }
}

async function takeTurn(admin: postgres.Sql, log: (line: string) => void): Promise<void> {
  const [{ taken }] = await admin<[{ taken: boolean }]>`
    select pg_try_advisory_lock(hashtext('bookreservation.migrate')) as taken`
  if (taken) return
  const [holder] = await admin<{ who: string; pid: number }[]>`
    select a.usename as who, l.pid from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and ((l.classid::bigint << 32) | l.objid::bigint) = hashtext('bookreservation.migrate')`
  log(
    `Waiting for another migration, by user ${holder?.who ?? '?'} in Postgres process ${holder?.pid ?? '?'}`,
  )
  await admin`select pg_advisory_lock(hashtext('bookreservation.migrate'))`
}

async function migrateRedis({ redisPasswords, redisUrl, redisPrefix, log = () => {} }: MigrateOptions) {
  if (!redisPasswords) return
  if (!redisUrl || !redisPrefix)
    throw new TypeError('Cannot create Redis users: redisUrl and redisPrefix are not set')
  await createRedisUsers({ redisUrl, redisPrefix, passwords: redisPasswords, log })
  log(`Redis: ${serviceNames.join(', ')} can log in`)
}

async function createRoleAndSchema(admin: postgres.Sql, service: ServiceName): Promise<void> {
  const [{ privilege }] = await admin<[{ privilege: string }]>`
    select case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end as privilege`
  // Roles belong to the whole server, so a migration of another database may create the same role at this moment.
  await admin.unsafe(`do $$ begin
    if not exists (select from pg_roles where rolname = '${service}') then create role ${service} nologin; end if;
  exception when duplicate_object or unique_violation then null; end $$`)
  await admin.unsafe(`do $$ begin
    if not pg_has_role(current_user, '${service}', '${privilege}') then grant ${service} to current_user; end if; end $$`)
  await admin.unsafe(`create schema if not exists ${service} authorization ${service}`)
}

/** A service can see another's incarnation, to notice a restored database (`streams/incarnation.ts`), and nothing else. */
async function letOthersSeeBeats(admin: postgres.Sql, service: ServiceName): Promise<void> {
  const others = serviceNames.filter((it) => it !== service).join(', ')
  await admin.unsafe(`set role ${service};
    grant usage on schema ${service} to ${others};
    grant select on ${service}.incarnation to ${others};
    reset role`)
}

function migrations(sql: Sql, service: ServiceName) {
  return new Umzug({
    migrations: files[service].map((url) => {
      const name = url.pathname.split('/').at(-1)!
      return {
        name,
        // Several statements in one message are one transaction, so the file and its record commit together.
        up: async () => {
          const text = await readFile(url, 'utf8')
          await sql.unsafe(`${text};\ninsert into migration (name) values ('${name}')`).simple()
        },
      }
    }),
    storage: {
      logMigration: async () => {},
      unlogMigration: async () => {},
      executed: async () => {
        await sql`create table if not exists migration (name text primary key, at timestamptz not null default now())`
        return (await sql<{ name: string }[]>`select name from migration`).map((row) => row.name)
      },
    },
    logger: undefined,
  })
}

const disposable = (it: Sql) => ({ it, [Symbol.asyncDispose]: () => it.end({ timeout: 2 }) })

/** Placeholder when no Redis is configured. */
const unused = 'redis://unused'

if (import.meta.main) {
  await runCommand(async () => {
    const config = toConfig('stock', { REDIS_URL: unused, ...readEnv() })
    const redisUrl = config.redisUrl === unused ? undefined : config.redisUrl
    if (config.redisPasswords && !redisUrl)
      throw new ConfigError(['REDIS_URL is not set, but the passwords of Redis users are'])
    await migrate({ ...config, redisUrl, log: console.log })
    console.log('The database is up to date.')
  })
}
