/** What a migration looks at before it changes anything: whether the stores can work, and it can. */
import type postgres from 'postgres'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { onUnreachable, reasonOfRedis } from '../../streams/redis-errors.ts'
import { adviceOn, faultsOfPostgres, faultsOfRedis, warningsOfPostgres } from '../../streams/requirements.ts'
import { partitionsFault, SetupError } from '../../streams/setup.ts'
import { serviceNames } from '../config.ts'

export type CheckOptions = {
  partitions: number
  redisUrl?: string | undefined
  redisPasswords?: unknown
  log?: (line: string) => void
}

/** @throws {SetupError} with every fault of both stores. */
export async function checkStores(admin: postgres.Sql, options: CheckOptions): Promise<void> {
  const { log = () => {} } = options
  const faults = [
    ...(await faultsOfPostgres(admin)),
    ...(await missingRights(admin)),
    ...(await otherPartitions(admin, options.partitions)),
    ...(await faultsOfRedisAt(options)),
  ]
  if (faults.length > 0) throw new SetupError(`Cannot migrate: ${faults.join('; ')}`)
  for (const warning of await warningsOfPostgres(admin)) log(warning)
}

/** @throws {SetupError} with advice, where the server refuses the connection for a reason that is known. */
export function explained(error: unknown): unknown {
  const advice = adviceOn(error)
  return advice ? new SetupError(`Cannot migrate: ${advice}`, { cause: error }) : error
}

async function missingRights(admin: postgres.Sql): Promise<string[]> {
  const [it] = await admin<[{ who: string; roles: boolean; schemas: boolean }]>`
    select current_user as who,
      (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)
        or (select count(*) from pg_roles where rolname = any(${[...serviceNames]}::text[])) = ${serviceNames.length}
        as roles,
      has_database_privilege(current_database(), 'create')
        or (select count(*) from pg_namespace where nspname = any(${[...serviceNames]}::text[])) = ${serviceNames.length}
        as schemas`
  return [
    ...(it.roles ? [] : [`${it.who} may not create roles: use a user with createrole`]),
    ...(it.schemas ? [] : [`${it.who} may not create schemas: grant create on the database to it`]),
  ]
}

/** The number of partitions is fixed by the first migration, of whichever service. */
async function otherPartitions(admin: postgres.Sql, partitions: number): Promise<string[]> {
  const migrated = await admin<{ service: string }[]>`
    select n.nspname as service from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = 'mailbox' and n.nspname = any(${[...serviceNames]}::text[])
      and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')`
  const faults = new Set<string>()
  for (const { service } of migrated) {
    const [row] = await admin<[{ count: number }]>`select count(*)::int from ${admin(service)}.mailbox`
    const fault = partitionsFault(partitions, row.count)
    if (fault) faults.add(fault)
  }
  return [...faults]
}

/** Migrating needs no Redis unless it is to have users: one that cannot be reached is reported. */
async function faultsOfRedisAt({
  redisUrl,
  redisPasswords,
  log = () => {},
}: CheckOptions): Promise<string[]> {
  if (!redisUrl) return []
  const redis = openRedis(redisUrl, 'bookreservation-migrate')
  let unreachable: string | undefined
  onUnreachable(redis, redisUrl, (reason) => {
    unreachable = reason
  })
  try {
    await untilReady(redis)
    return await faultsOfRedis(redis)
  } catch (error) {
    const reason = unreachable ?? reasonOfRedis(error)
    if (redisPasswords) return [`Redis (REDIS_URL) cannot be asked: ${reason}`]
    log(`Redis (REDIS_URL) could not be checked: ${reason}`)
    return []
  } finally {
    redis.disconnect()
  }
}
