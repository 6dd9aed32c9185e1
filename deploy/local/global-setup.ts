/** One Postgres and one Redis for a whole test run, on free ports and in a temporary folder. */
import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { copyData, emptyPostgres, storeFolder } from '../../tests/doubles/store-folder.ts'
import { startPostgres } from './servers/postgres.ts'
import { startRedis } from './servers/redis.ts'
import type { Server } from './servers/server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
    redisUrl: string
  }
}

/** Starts a copy of an empty Postgres, which other servers of the run are copies of, too. */
async function startPostgresOf(dir: string, say: (line: string) => void): Promise<Server> {
  const [empty, dataDir] = [join(dir, 'empty'), join(dir, 'postgres')]
  const first = await startPostgres({ dataDir: empty, fast: true, say })
  await first.stop()
  // A link leads to a folder that the user of Postgres can enter (`postgres-home.ts`), as a copy of it would.
  if ((await lstat(empty)).isSymbolicLink()) return await startPostgres({ dataDir: empty, fast: true, say })
  process.env[emptyPostgres] = empty
  await copyData(empty, dataDir)
  return await startPostgres({ dataDir, fast: true, say })
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await storeFolder('test')
  const say = (line: string) => console.log(line)
  const servers = await Promise.allSettled([
    startPostgresOf(dir, say),
    startRedis({ dataDir: join(dir, 'redis'), say }),
  ])
  const teardown = async () => {
    await Promise.all(servers.map((it) => it.status === 'fulfilled' && it.value.stop()))
    await rm(dir, { recursive: true, force: true })
  }
  const [postgres, redis] = servers
  if (postgres.status === 'rejected' || redis.status === 'rejected') {
    await teardown()
    throw postgres.status === 'rejected' ? postgres.reason : (redis as PromiseRejectedResult).reason
  }
  project.provide('postgresUrl', postgres.value.url)
  project.provide('redisUrl', redis.value.url)
  return teardown
}
