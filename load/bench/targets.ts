/** What is driven: the product, the baseline, a bare echo. Each knows how to be stocked and how to be held to account. */
import { join } from 'node:path'
import postgres from 'postgres'
import { migrate } from '../../actors/migrate.ts'
import { root } from '../../deploy/local/root.ts'
import { compileCache, serviceCommand } from '../../deploy/local/service.ts'
import type { Runtime } from './options.ts'
import { type MeasuredProcess, startProcess } from './process.ts'
import { copiesPerBook } from './workloads.ts'

export type Account = {
  /** Copies that are set aside for reservations, by the books of stock. */
  held: number
  /** Whether a reservation is still without an outcome. */
  undecided: boolean
}

export type Target = {
  name: 'product' | 'baseline' | 'echo'
  /** Where reservations are made. */
  port: number
  processes: MeasuredProcess[]
  stock(books: string[]): Promise<void>
  account(): Promise<Account>
  stop(): Promise<void>
}

export type Surroundings = {
  /** Of a user who may create databases. */
  databaseUrl: string
  redisUrl: string
  runtime: Runtime
  logDir: string
}

const partitions = 16
const requestMaxMs = 30_000

/** Baseline and echo run as the services do: same runtime, same flags. */
function start(name: string, script: string, env: Record<string, string>, { runtime, logDir }: Surroundings) {
  const base = serviceCommand(runtime, 'stock').slice(0, -1)
  const command = [
    ...base,
    ...(process.env.PROF && runtime === 'node'
      ? [
          ...(process.env.NOCPU
            ? []
            : ['--cpu-prof', `--cpu-prof-dir=${process.env.PROF}`, `--cpu-prof-name=${name}.cpuprofile`]),
        ]
      : []),
    join(root, script),
  ]
  return startProcess({
    name,
    command,
    env: { ...compileCache, ...env },
    logFile: join(logDir, `${name}.log`),
  })
}

export async function startProduct(around: Surroundings): Promise<Target> {
  const databaseUrl = await createDatabase(around.databaseUrl, 'product')
  await migrate({ databaseUrl, partitions })
  const env = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: around.redisUrl,
    PARTITIONS: String(partitions),
    DRAIN_MS: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
  }
  const processes: MeasuredProcess[] = []
  const stop = async () => void (await Promise.all(processes.map((it) => it.stop())))
  try {
    for (const name of ['stock', 'reservation', 'notifier'])
      processes.push(await start(name, `actors/${name}/main.ts`, env, around))
  } catch (error) {
    await stop()
    throw error
  }
  const [stock, reservation] = processes.map((it) => `http://127.0.0.1:${it.port}`)
  return {
    name: 'product',
    port: processes[1]!.port,
    processes,
    stop,
    stock: (books) =>
      eachOf(books, 32, async (bookid) => {
        const response = await ask(`${stock}/stocks`, { bookid, qty: copiesPerBook, title: bookid })
        if (response.status !== 201)
          throw new Error(`Cannot stock ${bookid}: ${response.status} ${await response.text()}`)
      }),
    account: async () => {
      const open = await ask(`${reservation}/reservations?status=Requested&limit=1`)
      const { _embedded } = (await open.json()) as { _embedded: { reservations: unknown[] } }
      return { held: await heldOf(stock!), undecided: _embedded.reservations.length > 0 }
    },
  }
}

/** Pages through all books. */
async function heldOf(stock: string): Promise<number> {
  type Page = { _embedded: { stocks: { held: number }[] }; _links: { next?: { href: string } } }
  let held = 0
  for (let next: string | undefined = '/stocks?limit=200'; next; ) {
    const page = (await (await ask(new URL(next, stock).href)).json()) as Page
    for (const book of page._embedded.stocks) held += book.held
    next = page._links.next?.href
  }
  return held
}

export async function startBaseline(around: Surroundings): Promise<Target> {
  const databaseUrl = await createDatabase(around.databaseUrl, 'baseline')
  const it = await start('baseline', 'load/bench/baseline/main.ts', { DATABASE_URL: databaseUrl }, around)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  return {
    name: 'baseline',
    port: it.port,
    processes: [it],
    stop: async () => {
      await sql.end({ timeout: 2 })
      await it.stop()
    },
    stock: async (books) => {
      await sql`insert into stock (bookid, qty) select bookid, ${copiesPerBook} from unnest(${books}::text[]) bookid`
    },
    account: async () => {
      const [sums] = await sql<{ held: number; reserved: number }[]>`select
        (select sum(${copiesPerBook} - qty) from stock)::float8 as held,
        (select count(*) from reservation where status = 'Reserved')::float8 as reserved`
      return { held: sums!.held, undecided: sums!.held !== sums!.reserved }
    },
  }
}

/** Always on Node: it measures the client. */
export async function startEcho(around: Surroundings): Promise<Target> {
  const it = await start('echo', 'load/bench/baseline/echo.ts', {}, { ...around, runtime: 'node' })
  const account = async () => ({ held: 0, undecided: false })
  return { name: 'echo', port: it.port, processes: [it], stop: it.stop, stock: async () => {}, account }
}

async function createDatabase(adminUrl: string, name: string): Promise<string> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} })
  await admin`create database ${admin(name)}`
  await admin.end({ timeout: 2 })
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

async function ask(url: string, body?: object): Promise<Response> {
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
async function eachOf<Item>(
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
