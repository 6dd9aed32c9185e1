/** Checks that a process that starts now could reach the stores, by new connections. */
import { deadline } from './deadline.ts'
import { closePostgres, openPostgres } from './postgres.ts'
import { commandTimeoutMs, openRedis, untilReady } from './redis.ts'

export type Stores = { databaseUrl: string; redisUrl: string; schema: string }

/** @throws when one of them does not answer a new connection in time. */
export async function reachStores({ databaseUrl, redisUrl, schema }: Stores): Promise<void> {
  const sql = openPostgres(databaseUrl, { schema, max: 1 })
  const redis = openRedis(redisUrl, `${schema}-reach`)
  try {
    await untilReady(redis)
    await Promise.all([redis.ping(), deadline(commandTimeoutMs, 'reach Postgres', sql`select`)])
  } finally {
    redis.disconnect()
    await closePostgres(sql)
  }
}
