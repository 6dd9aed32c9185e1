/** The product as users run it: the program of `npm start` as a process, with its output in a pipe. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { notifierSettings } from '../../actors/notifier/config.ts'
import { listProcesses } from '../../deploy/local/processes/kill-tree.ts'
import { commandLine } from '../../deploy/local/processes/orphan.ts'
import { root } from '../../deploy/local/root.ts'
import { mainOf, type Runtime, runtimeCommand } from '../../deploy/local/service.ts'
import { toSettings } from '../../deploy/local/settings.ts'
import { type ProcessName, readEnv } from '../../platform/config.ts'
import { isReady, type MeasuredProcess, startLogged } from './process.ts'
import { usageOf, usageOfOne } from './usage.ts'

export type Ports = Record<ProcessName, { port: number; opsPort: number }>

type NpmStartOptions = {
  name: string
  services: readonly ProcessName[]
  ports: Ports
  runtime: Runtime
  /** Settings that differ from those of `npm start`, besides services, ports and runtime. */
  settings: Record<string, string>
  logFile: string
  /** The source tree to start. Default: this one. */
  tree?: string
}

export type NpmStart = {
  /** The process of `npm start`, which runs the services and prints their log lines. */
  starter: MeasuredProcess
  services: (MeasuredProcess & { name: ProcessName })[]
  /** Stops it with all its services. */
  stop(): Promise<void>
}

const readyMaxMs = 60_000

/** Resolves when all services are ready. @throws with the end of the output when they do not become ready. */
export async function npmStart(options: NpmStartOptions): Promise<NpmStart> {
  const { name, ports, runtime, settings, logFile, tree = root } = options
  // Earlier versions have no pages.
  const services = options.services.filter((it) => it !== 'web' || existsSync(join(tree, 'web')))
  const { pid, check, fail, stop } = await startLogged({
    ...{ name, logFile, cwd: tree, piped: true, readyMaxMs },
    command: [process.execPath, join(tree, 'deploy/local/start.ts')],
    env: { ...settings, RUNTIME: runtime, SERVICES: services.join(','), HOST: undefined, ...portsOf(ports) },
    ready: async () => (await Promise.all(services.map((it) => isReady(ports[it].port)))).every(Boolean),
  })
  const measured = (name: ProcessName, pid: number) => {
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
    services: await Promise.all(services.map(async (it) => measured(it, await childOf(pid, mainOf(it, ''))))),
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

/** The settings that every measurement changes. */
const always = ['DATABASE_URL', 'REDIS_URL', 'REDIS_PREFIX']

/** For the results: flags and log level of the product, and the names of settings from the environment. */
export function describeStart(runtime: Runtime, env: NodeJS.ProcessEnv = process.env): string {
  const [, ...flags] = runtimeCommand(runtime)
  const { logLevel } = toSettings({ ...env, RUNTIME: runtime })
  const names = Object.keys(readEnv(env, notifierSettings)).filter(
    (name) => ![...always, 'LOG_LEVEL', 'HOST'].includes(name),
  )
  const more = names.length ? `; from the environment: ${names.join(', ')}` : ''
  return (
    `npm start, services on ${runtime} ${flags.join(' ')}, LOG_LEVEL ${logLevel}, log lines printed by the starter; ` +
    `changed: ${[...always, 'the ports'].join(', ')}${more}`
  )
}
