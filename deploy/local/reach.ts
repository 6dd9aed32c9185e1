/** Whether a server that the user named is there: better told at once than by three services in turn. */
import postgres from 'postgres'
import { openRedis } from '../../streams/redis.ts'

const limitMs = 5_000

export async function reachPostgres(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: limitMs / 1000, onnotice: () => {} })
  try {
    await sql`select 1`
  } catch (error) {
    throw unreachable('Postgres', 'DATABASE_URL', url, error)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

export async function reachRedis(url: string): Promise<void> {
  const client = openRedis(url, 'bookreservation-start')
  const { promise: reached, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  client.once('ready', resolve).once('error', reject)
  try {
    await reached
  } catch (error) {
    throw unreachable('Redis', 'REDIS_URL', url, error)
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}

function unreachable(server: string, setting: string, url: string, cause: unknown): Error {
  const { message, code } = cause as { message?: string; code?: string }
  // Never the URL itself: it may hold a password.
  const where = url
    .replace(/^[^:]+:\/\//, '')
    .replace(/^.*@/, '')
    .replace(/[/?].*/s, '')
  return new Error(`cannot reach ${server} at ${where} (${setting}): ${message || code}`, { cause })
}
