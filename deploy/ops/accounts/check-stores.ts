/** Checks before a migration: whether the stores are suitable, and whether the user may migrate. */
import type postgres from 'postgres'
import { processNames, serviceNames } from '../../../platform/config.ts'
import { openRedis, untilReady } from '../../../streams/redis.ts'
import { onUnreachable, reasonOfRedis } from '../../../streams/redis-errors.ts'
import {
  adviceOn,
  faultsOfPostgres,
  faultsOfRedis,
  warningsOfPostgres,
} from '../../../streams/requirements.ts'
import { partitionsFault, SetupError } from '../../../streams/setup.ts'

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

/** @returns a {SetupError} with advice if the server refused the connection for a known reason, otherwise the error. */
export function explained(error: unknown): unknown {
  const advice = adviceOn(error)
  return advice ? new SetupError(`Cannot migrate: ${advice}`, { cause: error }) : error
}

async function missingRights(admin: postgres.Sql): Promise<string[]> {
  const [it] = await admin<[{ username: string; roles: boolean; schemas: boolean }]>`
    select current_user as username,
      (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)
        or (select count(*) from pg_roles where rolname = any(${[...processNames]}::text[])) = ${processNames.length}
        as roles,
      has_database_privilege(current_database(), 'create')
        or (select count(*) from pg_namespace where nspname = any(${[...processNames]}::text[])) = ${processNames.length}
        as schemas`
  return [
    ...(it.roles ? [] : [`${it.username} may not create roles: use a user with createrole`]),
    ...(it.schemas ? [] : [`${it.username} may not create schemas: grant create on the database to it`]),
  ]
}

/** The first migration of any service fixes the number of partitions. */
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

/** Migrating needs Redis only to create its users; otherwise an unreachable Redis is just logged. */
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
    if (redisPasswords) return [`Redis (REDIS_URL) is not reachable: ${reason}`]
    log(`Redis (REDIS_URL) cannot be checked: ${reason}`)
    return []
  } finally {
    redis.disconnect()
  }
}
