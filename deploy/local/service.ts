/** Runs a service as a process, on either runtime. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessName, processNames } from '../../platform/config.ts'
import { heapFlags } from '../../platform/heap.ts'
import { statusOf, urlOf } from './address.ts'
import { type Child, startChild } from './processes/child.ts'
import { onPort } from './processes/free-port.ts'
import { root } from './root.ts'

const startupMaxMs = 30_000
/** The services drain for `DRAIN_MS` and stop within 9 s more. */
const graceMs = 10_000

const pollMs = 50

/**
 * V8 grows its heap to its limit before it collects, so with a limit the services stay small under load. The limit alone would
 * also shrink the space for young objects, and let old ones grow by only a third between two collections: in a rush, a tenth of
 * the CPU would go into those. So both sizes are set. A start fills the space for young objects several times, unless it begins
 * with some.
 */
const heapOf = (service?: ProcessName) => {
  // The pages make few objects at once, and take 20 MB less.
  const youngMaxMb = service === 'web' ? 4 : 16
  return ['--max-old-space-size=128', '--min-semi-space-size=4', `--max-semi-space-size=${youngMaxMb}`]
}
/**
 * Node caches compiled TypeScript files here. With the cache a service starts faster and does not load the compiler that strips
 * the types, which saves 25 MB.
 */
export const compileCache = { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile') }

const denoFlags = ['--no-prompt', '--allow-net', '--allow-env', '--allow-read', '--allow-sys']

export type Runtime = 'node' | 'deno'

const modules = join(root, 'node_modules')
const denoPackage = `@deno/${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}`

/** The pinned programs. Processes on Deno use this Deno, because there may be no other. */
export const programOf: Record<Runtime, string> = {
  node: join(modules, '.bin', 'node'),
  deno: 'Deno' in globalThis ? process.execPath : join(modules, denoPackage, 'deno'),
}

/**
 * The runtime with the flags of a service; without its name, with those that most have. On Node, services set `heapFlags`
 * themselves. The script follows.
 */
export function runtimeCommand(runtime: Runtime, service?: ProcessName): [string, ...string[]] {
  const program = programOf[runtime]
  const heap = heapOf(service)
  return runtime === 'deno'
    ? [program, 'run', ...denoFlags, `--v8-flags=${[...heap, ...heapFlags].join(',')}`]
    : [program, ...heap]
}

/** The defaults of `npm start`. Without a load balancer there is no need to drain. */
const localSettings = { DRAIN_MS: '0' }

export type LaunchOptions = {
  runtime: Runtime
  service: ProcessName
  /** Settings that differ from the service's defaults. */
  settings: NodeJS.ProcessEnv
  /** The source tree to run. Default: this one. */
  tree?: string
  /** Additional flags of the runtime. */
  moreFlags?: string[]
}

type Launch = { command: string; args: string[]; cwd: string; env: NodeJS.ProcessEnv }

/**
 * How `npm start` runs a service, with all flags and settings. Tests, benchmarks and the fault campaign use it too, so their
 * results hold for the system that people run. Each passes the settings that it changes.
 */
export function launch({ runtime, service, settings, tree = root, moreFlags = [] }: LaunchOptions): Launch {
  const [command, ...flags] = runtimeCommand(runtime, service)
  const env = { ...compileCache, ...localSettings, ...settings }
  return { command, args: [...flags, ...moreFlags, mainOf(service, tree)], cwd: tree, env }
}

/** The script of a service. */
export const mainOf = (service: ProcessName, tree = root): string =>
  join(tree, service === 'web' ? 'web' : `actors/${service}`, 'main.ts')

/**
 * Fills Node's compile cache, unless it was filled before. Otherwise the first services would compile their files, and keep the
 * compiler in memory until they end. Started without settings, each service loads all its modules, reports the missing settings
 * and exits, which is enough to fill the cache.
 */
export async function compileServices(runtime: Runtime, cache = compileCache): Promise<void> {
  const done = join(cache.NODE_COMPILE_CACHE, `services-${process.version}`)
  if (runtime === 'deno' || existsSync(done)) return
  // Node uses the cache only with the same flags.
  const compile = (service: ProcessName) => {
    const [command, ...flags] = runtimeCommand(runtime, service)
    const options = { env: { ...cache, PORT: 'none' }, timeout: startupMaxMs }
    return new Promise((resolve) => execFile(command, [...flags, mainOf(service)], options, resolve))
  }
  await Promise.all(processNames.map(compile))
  // Without a writable cache, try again next time.
  await writeFile(done, '').catch(() => {})
}

/** An inspector runs any code that it receives, so only this machine reaches it. */
export const inspectHost = '127.0.0.1'

type ServiceOptions = {
  runtime: Runtime
  service: ProcessName
  host: string
  port: number
  /** For probes, metrics and docs. */
  opsPort: number
  /** For debuggers of this machine. Default: none. */
  inspectPort?: number
  env: NodeJS.ProcessEnv
  onLine: (line: string) => void
}

export type Service = Child & {
  name: ProcessName
  port: number
  url: string
  opsPort: number
  opsUrl: string
  /** Resolves when a GET of the path, on the port for operators, answers 2xx. */
  answers(path: string, maxMs: number, signal?: AbortSignal): Promise<void>
}

/**
 * Resolves when the service is live.
 *
 * @param last started before; its ports are used again. A port of 0 is any free one.
 * @throws {ChildError} with its last lines when it exits before.
 */
export const startService = (options: ServiceOptions, last?: Service): Promise<Service> =>
  onPort(last?.port ?? options.port, (port) =>
    onPort(last?.opsPort ?? options.opsPort, (opsPort) => startOnPorts({ ...options, port, opsPort })),
  )

/** The same on both runtimes. */
const inspectFlag = (port: number) => `--inspect=${inspectHost}:${port}`

async function startOnPorts(options: ServiceOptions): Promise<Service> {
  const { runtime, service, host, port, opsPort, inspectPort, env, onLine } = options
  const settings = { ...env, HOST: host, PORT: String(port), OPS_PORT: String(opsPort) }
  const child = await startChild({
    name: service,
    ...launch({ runtime, service, settings, moreFlags: inspectPort ? [inspectFlag(inspectPort)] : [] }),
    graceMs,
    onLine,
  })
  const [url, opsUrl] = [urlOf(host, port), urlOf(host, opsPort)]
  const answers = async (path: string, maxMs: number, signal?: AbortSignal) => {
    const deadline = AbortSignal.timeout(maxMs)
    const limit = signal ? AbortSignal.any([signal, deadline]) : deadline
    for (;;) {
      const status = await statusOf(host, opsPort, path, limit).catch(() => 0)
      if (status >= 200 && status < 300) return
      signal?.throwIfAborted()
      if (deadline.aborted) throw new Error(`${opsUrl}${path} does not answer 200 within ${maxMs} ms`)
      await sleep(pollMs)
    }
  }
  const settled = new AbortController()
  try {
    await Promise.race([answers('/livez', startupMaxMs, settled.signal), child.ends()])
    return { ...child, name: service, port, url, opsPort, opsUrl, answers }
  } catch (error) {
    await child.stop()
    throw error
  } finally {
    settled.abort()
  }
}
