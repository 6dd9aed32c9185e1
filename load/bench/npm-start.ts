/** The product as people run it: the program behind `npm start`, seen from outside, its log read as it is read there. */
import { join } from 'node:path'
import { readEnv, type ServiceName } from '../../actors/config.ts'
import { listProcesses } from '../../deploy/local/kill-tree.ts'
import { commandLine } from '../../deploy/local/orphan.ts'
import { root } from '../../deploy/local/root.ts'
import { type Runtime, runtimeCommand } from '../../deploy/local/service.ts'
import { toSettings } from '../../deploy/local/settings.ts'
import { isReady, type MeasuredProcess, startLogged } from './process.ts'
import { usageOf, usageOfOne } from './usage.ts'

export type Ports = Record<ServiceName, { port: number; opsPort: number }>

export type NpmStartOptions = {
  name: string
  services: readonly ServiceName[]
  ports: Ports
  runtime: Runtime
  /** The settings that are not those of `npm start`, beside services, ports and runtime. */
  settings: Record<string, string>
  logFile: string
  /** The tree that is started; this one unless told otherwise. */
  tree?: string
}

export type NpmStart = {
  /** The starter, which brings the services up and reads and prints what they log. */
  starter: MeasuredProcess
  services: (MeasuredProcess & { name: ServiceName })[]
  /** Stops all of it. */
  stop(): Promise<void>
}

const readyMaxMs = 60_000

/** @returns once its services are ready. @throws with the end of what it printed when they do not become so. */
export async function npmStart(options: NpmStartOptions): Promise<NpmStart> {
  const { name, services, ports, runtime, settings, logFile, tree = root } = options
  const { pid, check, fail, stop } = await startLogged({
    ...{ name, logFile, cwd: tree, piped: true, readyMaxMs },
    command: [process.execPath, join(tree, 'deploy/local/start.ts')],
    env: { ...settings, RUNTIME: runtime, SERVICES: services.join(','), HOST: undefined, ...portsOf(ports) },
    ready: async () => (await Promise.all(services.map((it) => isReady(ports[it].port)))).every(Boolean),
  })
  const measured = (name: ServiceName, pid: number) => {
    const usage = () => {
      check()
      try {
        return usageOf(pid)
      } catch {
        throw fail(`had to start ${name} again`)
      }
    }
    return { name, ...ports[name], usage, stop }
  }
  const usage = () => {
    check()
    return usageOfOne(pid)
  }
  return {
    starter: { name: 'starter', port: 0, usage, stop },
    services: await Promise.all(
      services.map(async (it) => measured(it, await childOf(pid, `actors/${it}/main.ts`))),
    ),
    stop,
  }
}

const portsOf = (ports: Ports): Record<string, string> =>
  Object.fromEntries(
    Object.entries(ports).flatMap(([service, { port, opsPort }]) => [
      [`${service.toUpperCase()}_PORT`, String(port)],
      [`${service.toUpperCase()}_OPS_PORT`, String(opsPort)],
    ]),
  )

async function childOf(parent: number, script: string): Promise<number> {
  for (const child of listProcesses().filter((it) => it.parent === parent))
    if ((await commandLine(child.pid)).includes(script)) return child.pid
  throw new Error(`Cannot find the process that runs ${script}`)
}

/** Where services and starter are told to be, and on which stores: what every measurement sets. */
const always = ['DATABASE_URL', 'REDIS_URL', 'REDIS_PREFIX']

/** For who reads figures of the product: the flags and the log level it ran with, and what was set by whoever ran it. */
export function describeStart(runtime: Runtime, env: NodeJS.ProcessEnv = process.env): string {
  const [, ...flags] = runtimeCommand(runtime)
  const { logLevel } = toSettings({ ...env, RUNTIME: runtime })
  const names = Object.keys(readEnv(env)).filter((name) => ![...always, 'LOG_LEVEL', 'HOST'].includes(name))
  const more = names.length ? `; set by the environment: ${names.join(', ')}` : ''
  return (
    `npm start, services on ${runtime} ${flags.join(' ')}, LOG_LEVEL ${logLevel}, their lines read and printed by the starter; ` +
    `set otherwise: ${[...always, 'the ports'].join(', ')}${more}`
  )
}
