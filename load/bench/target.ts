/** A system under load: how to reach, stock, drive and audit it. */
import { join } from 'node:path'
import postgres from 'postgres'
import { root } from '../../deploy/local/root.ts'
import { compileCache, type Runtime, runtimeCommand } from '../../deploy/local/service.ts'
import { type MeasuredProcess, startProcess } from './process.ts'
import type { Requests, Timing, Workload } from './workloads.ts'

export type { Runtime }

export type Account = {
  /** Copies that are held for reservations, according to stock. */
  held: number
  /** Whether a reservation is still undecided. */
  undecided: boolean
}

export type Target = Requests & {
  name: string
  /** The port for reservations. */
  port: number
  processes: MeasuredProcess[]
  stock(books: string[]): Promise<void>
  /** Prepares the next run, if that is not possible for all runs at once. */
  prepare?(workload: Workload, timing: Timing): Promise<void>
  /** @param books the stocked books. */
  account(books: string[]): Promise<Account>
  stop(): Promise<void>
}

/** More copies of each book than any run can request. */
export const copiesPerBook = 1_000_000_000

export type Surroundings = {
  /** The URL of a user who may create databases. */
  databaseUrl: string
  redisUrl: string
  runtime: Runtime
  logDir: string
  /** The folder for CPU profiles, which every Node process writes when it stops. */
  profileDir?: string
}

/** Runs a script as a service is run: same runtime, same flags. */
export function startScript(
  name: string,
  script: string,
  env: Record<string, string>,
  { runtime, logDir, profileDir }: Surroundings,
): Promise<MeasuredProcess> {
  const flags: string[] = runtimeCommand(runtime)
  if (profileDir && runtime === 'node')
    flags.push('--cpu-prof', `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${name}.cpuprofile`)
  const command = [...flags, join(root, script)]
  return startProcess({
    name,
    command,
    env: { ...compileCache, ...env },
    logFile: join(logDir, `${name}.log`),
  })
}

/** Creates the database if it is missing. @returns its URL. */
export async function createDatabase(adminUrl: string, name: string): Promise<string> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} })
  const [found] = await admin`select from pg_database where datname = ${name}`
  if (!found) await admin`create database ${admin(name)}`
  await admin.end({ timeout: 2 })
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

const requestMaxMs = 30_000

/** A GET, or a POST of `body`. @throws without an answer. */
export async function call(url: string, body?: object): Promise<Response> {
  const signal = AbortSignal.timeout(requestMaxMs)
  const headers = { 'content-type': 'application/json' }
  const post = body && { method: 'POST', headers, body: JSON.stringify(body) }
  try {
    return await fetch(url, { ...post, signal })
  } catch (cause) {
    throw new Error(`Cannot reach ${url}: ${(cause as Error).cause ?? cause}`, { cause })
  }
}

/** Runs `act` for every item, `atOnce` at a time. */
export async function eachOf<Item>(
  items: Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await act(item)
    }),
  )
}
