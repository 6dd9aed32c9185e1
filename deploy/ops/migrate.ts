/**
 * Brings a database up to date: a role, a schema and its tables for each service and the pages. Given passwords, it also lets each
 * service log in to Postgres and Redis as itself (`accounts/`). `npm start` and a Kubernetes Job run it, or you: `npm
 * run migrate`. Running it again changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type postgres from 'postgres'
import {
  ConfigError,
  type Passwords,
  type ProcessName,
  processNames,
  readEnv,
  type ServiceName,
  serviceNames,
  toConfig,
} from '../../platform/config.ts'
import { closing, openAsAdministrator, openPostgres, type Sql } from '../../streams/postgres.ts'
import { checkStores, explained } from './accounts/check-stores.ts'
import { letRolesLogIn } from './accounts/database-roles.ts'
import { createRedisUsers } from './accounts/redis-users.ts'
import { awaitStores, patienceOf } from './await-stores.ts'
import { runCommand } from './command.ts'
import { migrationsOf } from './migrations.ts'

export type MigrateOptions = {
  /** Its user may create roles and schemas. */
  databaseUrl: string
  /** How many partitions to create. A database with another number is refused. */
  partitions: number
  /** With these the services' roles can log in; without, roles stay as they are. */
  databasePasswords?: Passwords | undefined
  /** With this the role of the pages can log in. */
  webDatabasePassword?: string | undefined
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
  const { databaseUrl, partitions, databasePasswords, webDatabasePassword, log = () => {} } = options
  const admin = openAsAdministrator(databaseUrl)
  try {
    // Concurrent migrations wait for each other; the lock ends with the connection.
    await takeTurn(admin, log)
    await checkStores(admin, options)
    for (const service of processNames) {
      await createRoleAndSchema(admin, service)
      await using sql = closing(openPostgres(databaseUrl, { schema: service, max: 1, partitions }))
      await applyMissing(sql, service, log)
    }
    for (const service of serviceNames) await letOthersSeeBeats(admin, service)
    if (databasePasswords) {
      const passwords = { ...databasePasswords, ...(webDatabasePassword && { web: webDatabasePassword }) }
      await letRolesLogIn(admin, passwords)
      log(`Postgres: ${Object.keys(passwords).join(', ')} can log in`)
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

async function createRoleAndSchema(admin: postgres.Sql, service: ProcessName): Promise<void> {
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

async function applyMissing(sql: Sql, service: ProcessName, log: (line: string) => void): Promise<void> {
  await sql`create table if not exists migration (name text primary key, at timestamptz not null default now())`
  const applied = (await sql<{ name: string }[]>`select name from migration`).map((row) => row.name)
  for (const { name, file } of migrationsOf(service).filter((it) => !applied.includes(it.name))) {
    // Several statements in one message are one transaction, so the file and its record commit together.
    await sql
      .unsafe(`${await readFile(file, 'utf8')};\ninsert into migration (name) values ('${name}')`)
      .simple()
    log(`${service}: applied ${name}`)
  }
}

/** Every migration of every service with the time it was applied. Changes nothing. @returns how many are missing. */
async function printStatus(databaseUrl: string): Promise<number> {
  await using admin = closing(openAsAdministrator(databaseUrl))
  const rows = (await Promise.all(processNames.map((it) => statusOf(admin, it)))).flat()
  for (const { service, name, at } of rows) console.log(`${service.padEnd(11)} ${at.padEnd(24)} ${name}`)
  return rows.filter(({ at }) => at === missing).length
}

const missing = 'missing'

async function statusOf(admin: postgres.Sql, service: ProcessName) {
  const [{ exists }] = await admin<[{ exists: boolean }]>`
    select to_regclass(${`${service}.migration`}) is not null as exists`
  const applied = exists
    ? await admin<
        { name: string; at: Date }[]
      >`select name, at from ${admin(service)}.migration order by at, name`
    : []
  const known = migrationsOf(service).map(({ name }) => name)
  const open = known.filter((name) => !applied.some((it) => it.name === name))
  return [
    ...applied.map(({ name, at }) => ({
      service,
      at: at.toISOString(),
      name: known.includes(name) ? name : `${name}, of another version`,
    })),
    ...open.map((name) => ({ service, at: missing, name })),
  ]
}

/** Placeholder when no Redis is configured. */
const unused = 'redis://unused'

const usage = `Brings a database up to date: roles, schemas and tables. Running it again changes nothing.

  npm run migrate
  npm run migrate -- --status      lists applied and missing migrations, changes nothing; exit code 1 if any is missing
  npm run migrate -- --wait=300    waits up to 300 s for stores that are still starting, and prints for which

DATABASE_URL names the database; its user may create roles and schemas. The default is a running \`npm start\`. Settings for
passwords and Redis users are in docs/settings.md.`

async function main(): Promise<void> {
  const options = {
    status: { type: 'boolean' },
    wait: { type: 'string' },
    help: { type: 'boolean' },
  } as const
  const { status, wait, help } = parseArgs({ options }).values
  if (help) return console.log(usage)
  const config = toConfig('stock', { REDIS_URL: unused, ...readEnv() })
  if (status) {
    if ((await printStatus(config.databaseUrl)) > 0) process.exitCode = 1
    return
  }
  const redisUrl = config.redisUrl === unused ? undefined : config.redisUrl
  if (config.redisPasswords && !redisUrl)
    throw new ConfigError(['REDIS_URL is not set, but the passwords of Redis users are'])
  if (wait !== undefined) {
    const asked = { databaseUrl: config.databaseUrl, redisUrl: config.redisPasswords && redisUrl }
    await awaitStores({ ...asked, patienceMs: patienceOf(wait), log: console.log })
  }
  await migrate({ ...config, redisUrl, log: console.log })
  console.log('The database is up to date.')
}

if (import.meta.main) await runCommand(main)
