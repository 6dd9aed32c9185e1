/** What can be driven: how it is reached, stocked, asked, and held to account. */
import { join } from 'node:path'
import postgres from 'postgres'
import { root } from '../../deploy/local/root.ts'
import { compileCache, type Runtime, runtimeCommand } from '../../deploy/local/service.ts'
import { postRequest } from './closed-loop.ts'
import type { Answer } from './http-connection.ts'
import { type MeasuredProcess, startProcess } from './process.ts'
import type { Timing } from './rounds.ts'
import type { Workload } from './workloads.ts'

export type { Runtime }

export type Account = {
  /** Copies that are set aside for reservations, by the books of stock. */
  held: number
  /** Whether a reservation is still without an outcome. */
  undecided: boolean
}

export type Target = {
  name: string
  /** Where reservations are made. */
  port: number
  processes: MeasuredProcess[]
  /** The request for a reservation, decided within it or only accepted. Absent: `POST /reservations`. */
  ask?(bookid: string, userid: string, wait: boolean): string
  /** Whether the reservation was made and has this status. Absent: 201 and a body that says so. */
  says?(answer: Answer, status: Status): boolean
  stock(books: string[]): Promise<void>
  /** Adds what the next run needs, where that cannot be there for all runs. */
  prepare?(workload: Workload, timing: Timing): Promise<void>
  /** @param books those that were stocked. */
  account(books: string[]): Promise<Account>
  stop(): Promise<void>
}

export type Status = 'Reserved' | 'Requested'

/** More copies than any run can ask for, of each book. */
export const copiesPerBook = 1_000_000_000

export type Surroundings = {
  /** Of a user who may create databases. */
  databaseUrl: string
  redisUrl: string
  runtime: Runtime
  logDir: string
  /** Where each process on Node leaves its CPU profile when it is stopped. */
  profileDir?: string
}

export const askForReservation = (bookid: string, userid: string, wait: boolean): string =>
  postRequest('localhost', '/reservations', { bookid, userid }, wait ? { prefer: 'wait=10' } : {})

export const saysCreated = (answer: Answer, status: Status): boolean =>
  answer.status === 201 && answer.body.includes(`"status":"${status}"`)

/** A server of ours or of others, run as a service is: same runtime, same flags. */
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

/** @returns the URL of the database, which is made when it is not there. */
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

/** A GET, or a POST of this body. @throws when nobody answers. */
export async function ask(url: string, body?: object): Promise<Response> {
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
