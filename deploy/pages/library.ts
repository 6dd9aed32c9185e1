/** A library with books, customers and a day's work, on the system that `npm start` runs, with data of its own. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessName } from '../../platform/config.ts'
import { call } from '../local/call.ts'
import { startChild } from '../local/processes/child.ts'
import { listProcesses } from '../local/processes/kill-tree.ts'
import { commandLine } from '../local/processes/orphan.ts'
import { root } from '../local/root.ts'
import { runningSystem } from '../local/servers/running.ts'
import { type Book, readBooks } from '../seed/books.ts'

export type Library = {
  urls: Record<ProcessName, string>
  /** Of `npm start`. Everything else of the system descends from it. */
  pid: number
  /** Of the process that serves the pages. */
  webPid: number
  books: Book[]
}

export const readerOf = (n: number): string => `reader-${n}`
/** Each has a reservation. */
export const readers = 200
/** One reader in so many has a copy on the hold shelf. */
const readyEvery = 4
const readyMaxMs = 60_000
const atOnce = 8

/** The environment of this process does not count, except where programs are: the system must be the usual one. */
const environment = (dataDir: string): NodeJS.ProcessEnv => {
  const { PATH, HOME } = process.env
  const ports = ['RESERVATION', 'STOCK', 'NOTIFIER', 'WEB'].flatMap((it) => [`${it}_PORT`, `${it}_OPS_PORT`])
  return {
    PATH,
    HOME,
    DATA_DIR: dataDir,
    RULES: 'library',
    ...Object.fromEntries(ports.map((it) => [it, '0'])),
  }
}

/** @param stack stops it, and removes its data. */
export async function openLibrary(stack: AsyncDisposableStack): Promise<Library> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-pages-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  // If root runs it, Postgres runs as another user, who must be able to enter.
  await chmod(dir, 0o711)
  const run = (script: string) =>
    startChild({
      name: script,
      command: process.execPath,
      args: [join(root, script)],
      cwd: root,
      env: environment(dir),
      graceMs: 20_000,
    })
  const system = await run('deploy/local/start.ts')
  stack.defer(async () => void (await system.stop()))
  const urls = await Promise.race([urlsOf(dir), system.ends()])
  const seed = await run('deploy/seed/main.ts')
  const { code } = await seed.exited
  if (code !== 0) throw new Error(`The books could not be received:\n${seed.tail().join('\n')}`)
  const books = await readBooks()
  await fill(urls, books)
  return { urls, pid: system.pid, webPid: await childOf(system.pid, 'web/main.ts'), books }
}

async function urlsOf(dataDir: string): Promise<Record<ProcessName, string>> {
  for (const deadline = performance.now() + readyMaxMs; ; await sleep(100)) {
    const urls = runningSystem(dataDir)?.services
    if (urls) return urls as Record<ProcessName, string>
    if (performance.now() > deadline) throw new Error(`The system is not ready after ${readyMaxMs} ms`)
  }
}

async function childOf(parent: number, script: string): Promise<number> {
  for (const child of listProcesses().filter((it) => it.parent === parent))
    if ((await commandLine(child.pid)).includes(script)) return child.pid
  throw new Error(`Cannot find the process that runs ${script}`)
}

/** Every reader reserves a book. If there are copies, some are on the hold shelf. */
async function fill(urls: Library['urls'], books: Book[]): Promise<void> {
  const left = Array.from({ length: readers }, (_, n) => n).values()
  const visit = async () => {
    for (const n of left) {
      const { bookid } = books[n % books.length]!
      const { status, reservationid } = await reserve(urls, bookid, readerOf(n))
      if (status === 'Reserved' && n % readyEvery === 0) await changeHold(urls, reservationid, 'Ready')
    }
  }
  await Promise.all(Array.from({ length: atOnce }, visit))
}

export type Reserved = { reservationid: string; status: string }

/** Waits until it is decided. */
export const reserve = (
  { reservation }: Library['urls'],
  bookid: string,
  userid: string,
): Promise<Reserved> =>
  call(`${reservation}/reservations`, { json: { bookid, userid }, headers: { prefer: 'wait=10' } })

export async function changeHold(
  { stock }: Library['urls'],
  reservationid: string,
  status: 'Ready' | 'Collected',
): Promise<void> {
  const url = `${stock}/holds/${reservationid}`
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'PATCH', headers, body: JSON.stringify({ status }) })
  if (!response.ok) throw new Error(`PATCH ${url} answered ${response.status}: ${await response.text()}`)
}

/** The cookie with which the pages know a person, as `/as` sets it. */
export const cookieOf = (role: string, userid: string): string => encodeURIComponent(`${role}:${userid}`)
