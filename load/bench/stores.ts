/** The stores of a measured system: a private Postgres and Redis, as durable as in production. */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres } from '../../deploy/local/servers/postgres.ts'
import { startRedis } from '../../deploy/local/servers/redis.ts'
import { type Usage, usageOf } from './usage.ts'

/** A process that works for a target besides its own: Postgres or Redis. */
export type Store = { name: string; usage(): Usage }

export type Stores = { databaseUrl: string; redisUrl: string; stores: Store[] }

/**
 * @param stack stops them, and then removes `dir`.
 * @param keep keeps `dir`.
 */
export async function startStores(dir: string, stack: AsyncDisposableStack, keep = false): Promise<Stores> {
  await mkdir(dir, { recursive: true })
  // The data may be elsewhere, behind a link: remove that too.
  stack.defer(async () => {
    if (keep) return console.log(`\nData and logs are in ${dir}`)
    const data = await realpath(join(dir, 'postgres')).catch(() => dir)
    await Promise.all([data, dir].map((path) => rm(path, { recursive: true, force: true })))
  })
  const db = stack.use(await startPostgres({ dataDir: join(dir, 'postgres') }))
  const redis = stack.use(await startRedis({ dataDir: join(dir, 'redis') }))
  const stores = [
    { name: 'postgres', usage: () => usageOf(db.pid) },
    { name: 'redis', usage: () => usageOf(redis.pid) },
  ]
  return { databaseUrl: db.url, redisUrl: redis.url, stores }
}
