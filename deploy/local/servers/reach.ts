/** Checks a server of the user's settings at the start, so that its fault is reported once and not by three services. */
import { databaseAddress } from '../../../streams/database-url.ts'
import { openAsAdministrator } from '../../../streams/postgres.ts'
import { openRedis } from '../../../streams/redis.ts'
import { onUnreachable, reasonOfRedis } from '../../../streams/redis-errors.ts'
import { redisAddress } from '../../../streams/redis-url.ts'
import { adviceOn } from '../../../streams/requirements.ts'

const limitMs = 5_000

export async function reachPostgres(url: string): Promise<void> {
  const sql = openAsAdministrator(url)
  try {
    await sql`select 1`
  } catch (error) {
    const { host, port, path } = databaseAddress(url)
    throw unreachable(
      'Postgres',
      'DATABASE_URL',
      path ?? placesOf(host.map((it, i) => [it, port[i]!])),
      error,
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
}

export async function reachRedis(url: string): Promise<void> {
  const client = openRedis(url, 'bookreservation-start')
  const { promise: reached, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  client.once('ready', resolve)
  onUnreachable(client, url, (reason) => reject(new Error(reason)))
  try {
    await reached
  } catch (error) {
    throw unreachable(
      'Redis',
      'REDIS_URL',
      placesOf(redisAddress(url).nodes.map((it) => [it.host, it.port])),
      error,
    )
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}

/** Never the URL itself: it may hold a password. */
const placesOf = (nodes: [host: string, port: number][]) =>
  nodes.map(([host, port]) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')

const unreachable = (server: string, setting: string, where: string, cause: unknown) =>
  new Error(`cannot reach ${server} at ${where} (${setting}): ${adviceOn(cause) ?? reasonOfRedis(cause)}`, {
    cause,
  })
