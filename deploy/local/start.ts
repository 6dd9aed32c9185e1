/**
 * `npm start`: the whole system on this machine. Each part starts after the parts that it needs, and they stop in reverse order.
 * If a part fails to start, the running ones are stopped.
 */
import { join } from 'node:path'
import type { ProcessName } from '../../platform/config.ts'
import { migrate } from '../ops/migrate.ts'
import { urlOf } from './address.ts'
import { type LocalProvider, startProvider } from './identity/start-provider.ts'
import { type Output, openOutput } from './output.ts'
import { killAll } from './processes/child.ts'
import { assertFree, freePort } from './processes/free-port.ts'
import { onSignals } from './processes/signals.ts'
import { type Supervised, supervise } from './processes/supervise.ts'
import { takeDataFolder } from './servers/data-folder.ts'
import { startPostgres } from './servers/postgres.ts'
import { reachPostgres, reachRedis } from './servers/reach.ts'
import { startRedis } from './servers/redis.ts'
import { publish, type Servers } from './servers/running.ts'
import { compileServices, inspectHost, type Service, startService } from './service.ts'
import { dataDirOf, help, type Settings, toSettings } from './settings.ts'
import { restartOnChange } from './watch-sources.ts'
import { welcome } from './welcome.ts'

const readyMaxMs = 30_000

type Start = {
  settings: Settings
  /** The services' own settings are among them. */
  env: NodeJS.ProcessEnv
  /** Whether services restart when their files change. */
  watch: boolean
  /** Whether people log in at a provider that is started here. */
  provider: boolean
  output: Output
  /** Aborted when the user stops it, perhaps before everything has started. */
  signal: AbortSignal
  /** Everything that was started. */
  stack: AsyncDisposableStack
}

if (process.argv.includes('--help')) console.log(help)
else await main()

async function main(): Promise<void> {
  // A forced exit waits for nothing: all children end with this process (`leash.ts`).
  const signal = onSignals(() => process.exit(1))
  try {
    const identity = process.argv.includes('--identity')
    const provider = identity && !process.env.OIDC_ISSUER?.trim()
    const keys = identity && (await import('./identity/key.ts'))
    const env = {
      ...process.env,
      ...(keys && (await keys.openIssuer(dataDirOf(process.env)))),
      ...(keys && provider && keys.localLogin()),
    }
    const settings = toSettings(env)
    const watch = process.argv.includes('--watch')
    const output = openOutput(settings.logFormat)
    await using stack = new AsyncDisposableStack()
    await up({ settings, env, watch, provider, output, signal, stack })
    await aborted(signal)
    output.say('Stopping. Ctrl-C again ends everything at once.')
  } catch (error) {
    if (signal.aborted) return
    console.error(`Cannot start: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

/** @throws the reason of the signal when it is aborted. */
async function up(start: Start): Promise<void> {
  const { settings, output, signal, stack } = start
  await portsAreFree(settings, start.provider)
  const [servers] = await Promise.all([startServers(start), compileServices(settings.runtime)])
  signal.throwIfAborted()
  await migrate({ ...servers, partitions: settings.partitions, log: output.say })
  signal.throwIfAborted()
  const services = await runServices(start, servers)
  await Promise.all(services.map((it) => it.answers('/readyz', readyMaxMs, signal)))
  if (ownsDataFolder(settings)) {
    const urls = Object.fromEntries(services.map(({ name, url }) => [name, url]))
    stack.use(await publish(settings.dataDir, { ...servers, services: urls }))
  }
  output.say(welcome(services, settings, start.provider))
}

/** Not if both stores are given. */
function ownsDataFolder({ databaseUrl, redisUrl }: Settings): boolean {
  return !(databaseUrl && redisUrl)
}

async function portsAreFree(settings: Settings, provider: boolean): Promise<void> {
  const { services, ports, opsPorts, providerPort, inspect, host } = settings
  if (provider)
    await assertFree(providerPort, '127.0.0.1').catch(() => {
      throw new Error(
        `cannot use port ${providerPort} for the provider: it is in use; set PROVIDER_PORT to another one`,
      )
    })
  for (const service of services) {
    for (const [setting, port] of [
      [`${service.toUpperCase()}_PORT`, ports[service]],
      [`${service.toUpperCase()}_OPS_PORT`, opsPorts[service]],
    ] as const)
      await assertFree(port, host).catch(({ code, message }: NodeJS.ErrnoException) => {
        const why = code === 'EADDRINUSE' ? 'it is in use' : message
        if (code === 'EADDRINUSE' || code === 'EACCES')
          throw new Error(`cannot use port ${port} for ${service}: ${why}; set ${setting} to another one`)
        throw new Error(`cannot listen on ${host}: ${why}; set HOST to an address of this machine`)
      })
  }
  // Node would run without an inspector.
  if (inspect)
    await assertFree(inspect.port, inspectHost).catch((error: Error) => {
      throw new Error(
        `cannot use port ${inspect.port} for the inspector: ${error.message}; set INSPECT_PORT to another one`,
      )
    })
}

async function startServers({ settings, output, signal, stack }: Start): Promise<Servers> {
  const { dataDir, databaseUrl, redisUrl } = settings
  const { say } = output
  if (databaseUrl) await reachPostgres(databaseUrl)
  if (redisUrl) await reachRedis(redisUrl)
  if (databaseUrl && redisUrl) return { databaseUrl, redisUrl }

  stack.use(await takeDataFolder(dataDir, { say, signal, onLost: (reason) => abandon(dataDir, reason) }))
  signal.throwIfAborted()
  // A restarted server keeps its port.
  const start = {
    Postgres: (last?: { port: number }) =>
      startPostgres({ dataDir: `${dataDir}/postgres`, port: last?.port ?? 0, say }),
    Redis: (last?: { port: number }) =>
      startRedis({ dataDir: `${dataDir}/redis`, port: last?.port ?? 0, say }),
  }
  const run = async (name: 'Postgres' | 'Redis') => {
    signal.throwIfAborted()
    return stack.use(await supervise({ name, start: start[name], say })).current.url
  }
  const servers = {
    databaseUrl: databaseUrl ?? (await run('Postgres')),
    redisUrl: redisUrl ?? (await run('Redis')),
  }
  stack.use(await publish(dataDir, servers))
  return servers
}

/** Another start has the folder: nothing may be written to it any more. */
function abandon(dataDir: string, reason: string): never {
  killAll()
  console.error(`Stopped at once: lost ${dataDir}, because ${reason}`)
  process.exit(1)
}

async function runServices(start: Start, { databaseUrl, redisUrl }: Servers): Promise<Service[]> {
  const { settings, env: given, watch, output, stack } = start
  const env = { ...given, DATABASE_URL: databaseUrl, REDIS_URL: redisUrl }
  const running: Supervised<Service>[] = []
  // They stop at the same time.
  stack.defer(async () => void (await Promise.all(running.map((it) => it.stop()))))
  const run = async (service: ProcessName, env: NodeJS.ProcessEnv, ports = settings.ports) => {
    const { runtime, host, opsPorts, inspect } = settings
    const inspectPort = inspect?.service === service ? inspect.port : undefined
    const [port, opsPort, onLine] = [ports[service], opsPorts[service], output.of(service)]
    const options = { runtime, service, host, port, opsPort, inspectPort, env, onLine }
    const begin = (last?: Service) => startService(options, last)
    running.push(await supervise({ name: service, start: begin, say: output.say }))
  }
  const services = settings.services.filter((it) => it !== 'web')
  const outcomes = await Promise.allSettled(services.map((it) => run(it, env)))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  // Only now are the ports known that the pages call.
  if (settings.services.includes('web')) {
    const urls = urlsOf(running)
    if (settings.identity) {
      const web = settings.ports.web || (await freePort(settings.host))
      const login = await loginSettings(start, urlOf(settings.host, web))
      await run('web', { ...urls, ...env, ...login }, { ...settings.ports, web })
    } else await run('web', { ...urls, ...process.env })
  }
  if (watch) stack.use(restartOnChange(running, output.say))
  return running.map(({ current }) => current)
}

/** The settings with which people log in at the pages. Their URL is known before they run, because the provider leads back to it. */
async function loginSettings({ settings, env, provider, output, stack }: Start, pagesUrl: string) {
  const PUBLIC_URL = env.PUBLIC_URL?.trim() || pagesUrl
  if (!provider) return { PUBLIC_URL }
  const { say } = output
  const options = {
    port: settings.providerPort,
    clientSecret: env.OIDC_CLIENT_SECRET!,
    pagesUrl: PUBLIC_URL,
    keyFile: join(settings.dataDir, 'identity', 'provider-key.json'),
  }
  const begin = (last?: LocalProvider) => startProvider(options, last)
  const running = await supervise({ name: 'provider', start: begin, say })
  stack.use(running)
  return { PUBLIC_URL, OIDC_ISSUER: running.current.url }
}

/** The settings with which the pages find the services. */
function urlsOf(running: Supervised<Service>[]): Record<string, string> {
  return Object.fromEntries(running.map(({ current: { name, url } }) => [`${name.toUpperCase()}_URL`, url]))
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}
