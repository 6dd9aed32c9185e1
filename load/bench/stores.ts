/** The servers that a measured system stands on: a private Postgres and Redis, as durable as in production. */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres } from '../../deploy/local/postgres.ts'
import { startRedis } from '../../deploy/local/redis.ts'
import { type Usage, usageOf } from './usage.ts'

/** Postgres, Redis: whoever works for a target beside its own processes. */
export type Store = { name: string; usage(): Usage }

export type Stores = { databaseUrl: string; redisUrl: string; stores: Store[] }

/**
 * @param stack stops them again, and then removes `dir`.
 * @param keep leaves `dir` where it is.
 */
export async function startStores(dir: string, stack: AsyncDisposableStack, keep = false): Promise<Stores> {
  await mkdir(dir, { recursive: true })
  // The data may stand elsewhere, behind a link: that goes too.
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
