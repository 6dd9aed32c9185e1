/**
 * Requirements on the stores. A store that does not meet them may seem to work for a while, and then refuse data, or lose
 * what was promised.
 */
import './no-debug.ts'
import { Cluster } from 'ioredis'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'
import { sessionMark } from './session.ts'

/** The lowest major versions that are tested. */
const postgresMin = 15
const redisMin = 7

type Facts = {
  version: number
  shown: string
  encoding: string
  standby: boolean
  readOnly: string
  triggers: string
  transactionTimeout: string | null
  arrived: string | null
}

/** @returns what must be changed, and how. */
export async function faultsOfPostgres(sql: Pick<Sql, 'unsafe'>): Promise<string[]> {
  // Only settings, which any user may read on any server.
  const [it] = await sql.unsafe<[Facts]>(`
    select current_setting('server_version_num')::int as version, current_setting('server_version') as shown,
      current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby,
      current_setting('default_transaction_read_only') as "readOnly",
      current_setting('session_replication_role') as triggers,
      current_setting('transaction_timeout', true) as "transactionTimeout",
      current_setting('${sessionMark.name}', true) as arrived`)
  const faults: string[] = []
  if (it.arrived !== sessionMark.value)
    faults.push(
      'DATABASE_URL leads to a pooler that ignores the parameters of a connection: name Postgres itself',
    )
  if (it.version < postgresMin * 10_000)
    faults.push(
      `Postgres is ${it.shown}, and ${postgresMin} is the oldest supported version: use a newer server`,
    )
  if (it.encoding !== 'UTF8')
    faults.push(
      `the database's encoding is ${it.encoding}, which cannot store every title: create one with` +
        ` create database NAME encoding 'UTF8' template template0`,
    )
  if (it.standby) faults.push('the server is a standby, which is read-only: name the primary in DATABASE_URL')
  else if (it.readOnly === 'on')
    faults.push(
      'the database is read-only (default_transaction_read_only is on): reset it with alter database, alter role or alter system',
    )
  if (it.triggers !== 'origin')
    faults.push(
      `session_replication_role is ${it.triggers}, so references are not checked: reset it to origin`,
    )
  if (it.transactionTimeout !== null && it.transactionTimeout !== '0')
    faults.push(
      `transaction_timeout is ${it.transactionTimeout}, which ends connections in use: reset it to 0 for this database and its roles`,
    )
  return faults
}

/** @returns what is risky about the server, but no reason to refuse it. */
export async function warningsOfPostgres(sql: Pick<Sql, 'unsafe'>): Promise<string[]> {
  const [it] = await sql.unsafe<[{ fsync: string; pages: string }]>(
    `select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages`,
  )
  const off = [it.fsync === 'off' && 'fsync', it.pages === 'off' && 'full_page_writes'].filter(Boolean)
  return off.length > 0
    ? [`Postgres runs with ${off.join(' and ')} off: what was accepted may be lost in a power cut`]
    : []
}

/** @returns what to do about a refused connection, if that is known. */
export function adviceOn(error: unknown): string | undefined {
  const { message = '', code } = error as { message?: string; code?: string }
  if (/unsupported startup parameter/.test(message))
    return (
      `DATABASE_URL leads to a pooler (${message}): name Postgres itself, because each connection sets its role and its` +
      ' schema when it starts, and a pooler such as PgBouncer forwards neither'
    )
  if (code === '42704' && /unrecognized configuration parameter/.test(message))
    return `Postgres does not know a setting that is needed (${message}): ${postgresMin} is the oldest supported version`
  return undefined
}

/** @returns what must be changed, for all nodes. */
export async function faultsOfRedis(redis: RedisClient): Promise<string[]> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis]
  const found = await Promise.all(
    nodes.map(async (node) => faultsOfNode(parseInfo(await node.info()), redis instanceof Cluster)),
  )
  return [...new Set(found.flat())]
}

/** @param info from `INFO`, which shows less on managed servers and to users with few rights. */
export function faultsOfNode(info: Map<string, string>, cluster: boolean): string[] {
  const faults: string[] = []
  const version = info.get('redis_version')
  if (version && Number.parseInt(version, 10) < redisMin)
    faults.push(
      `Redis is ${version}, and ${redisMin}.0 is the oldest supported version: use a newer server, or Valkey`,
    )
  if (info.get('role') === 'slave')
    faults.push('Redis is a replica, which is read-only: name the master in REDIS_URL')
  if (!cluster && info.get('cluster_enabled') === '1')
    faults.push('Redis is a node of a cluster: write REDIS_URL as redis+cluster://host:6379,host:6379')
  // The volatile policies evict only keys that expire, and no stream does.
  const policy = info.get('maxmemory_policy')
  if (policy?.startsWith('allkeys-'))
    faults.push(`Redis may evict streams (maxmemory-policy is ${policy}): set it to noeviction`)
  return faults
}

export const parseInfo = (text: string): Map<string, string> =>
  new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':')
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : []
    }),
  )
