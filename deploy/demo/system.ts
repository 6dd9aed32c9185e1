/**
 * A system for the demo: the stores and services that `npm start` runs, started by the same code. Its ports are free ones and
 * its data is removed at the end, so it runs beside any other.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { startPostgres } from '../local/servers/postgres.ts'
import { startRedis } from '../local/servers/redis.ts'
import { compileServices, type Service, startService } from '../local/service.ts'
import { toSettings } from '../local/settings.ts'
import { migrate } from '../ops/migrate.ts'

export type DemoSystem = {
  urls: Record<ServiceName, string>
  /** Kills a service as `kill -9` does. @returns its process id. */
  kill(service: ServiceName): Promise<number>
  /** Starts it again, on its port. Resolves when it is ready. */
  start(service: ServiceName): Promise<void>
  /** Removes everything from Redis. @returns how many keys that were. */
  flushRedis(): Promise<number>
  /** The lines that a service has logged, oldest first. */
  linesOf(service: ServiceName): string[]
}

const readyMaxMs = 30_000

/**
 * @param settings of the services, besides their defaults. The environment of this process does not count: the demo must not
 *   reach the stores, mail servers or receivers that it may name.
 * @param stack stops everything.
 */
export async function startSystem(
  settings: Record<string, string>,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<DemoSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-demo-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  // If root runs it, Postgres runs as another user, who must be able to enter.
  await chmod(dir, 0o711)
  const { url: databaseUrl } = stack.use(await startPostgres({ dataDir: join(dir, 'postgres') }))
  signal.throwIfAborted()
  const { url: redisUrl } = stack.use(await startRedis({ dataDir: join(dir, 'redis') }))
  const redis = openRedis(redisUrl, 'demo')
  stack.defer(() => redis.disconnect())
  const { partitions, runtime, host } = toSettings(settings)
  await Promise.all([migrate({ databaseUrl, partitions }), compileServices(runtime), untilReady(redis)])
  signal.throwIfAborted()

  const { PATH, HOME } = process.env
  const env = { PATH, HOME, ...settings, DATABASE_URL: databaseUrl, REDIS_URL: redisUrl }
  const services = new Map<ServiceName, Service>()
  const lines = new Map<ServiceName, string[]>(serviceNames.map((it) => [it, []]))
  stack.defer(async () => void (await Promise.all([...services.values()].map((it) => it.stop()))))
  const start = async (service: ServiceName) => {
    const onLine = (line: string) => void lines.get(service)!.push(line)
    const options = { runtime, service, host, port: 0, opsPort: 0, env, onLine }
    const running = await startService(options, services.get(service))
    services.set(service, running)
    await running.answers('/readyz', readyMaxMs, signal)
  }
  const outcomes = await Promise.allSettled(serviceNames.map(start))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  const urls = serviceNames.map((it) => [it, services.get(it)!.url])
  return {
    urls: Object.fromEntries(urls) as DemoSystem['urls'],
    start,
    kill: async (service) => {
      const { pid, kill, exited } = services.get(service)!
      kill('SIGKILL')
      await exited
      return pid
    },
    flushRedis: async () => {
      const keys = await redis.dbsize()
      await redis.flushall()
      return keys
    },
    linesOf: (service) => lines.get(service)!,
  }
}
