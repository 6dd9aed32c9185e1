/** The product under measurement: `npm start` as users run it, with its own database and key prefix. */
import { join } from 'node:path'
import { freePorts } from '../../deploy/local/processes/free-port.ts'
import { type ProcessName, processNames, type ServiceName } from '../../platform/config.ts'
import { type NpmStart, npmStart, type Ports } from './npm-start.ts'
import type { MeasuredProcess } from './process.ts'
import { call, copiesPerBook, createDatabase, eachOf, type Surroundings, type Target } from './target.ts'

export type Product = Target & {
  databaseUrl: string
  urls: Record<ServiceName, string>
  /** URLs of metrics. */
  opsUrls: Record<ServiceName, string>
  /** Restarts the services except stock, on their ports. */
  stopStock(): Promise<void>
  /** Starts stock with another `npm start`. */
  startStock(): Promise<void>
}

/** The `npm start` of the first stock, if it has its own. */
const firstStock = '-1'

type ProductOptions = {
  /** The number of stock processes, which share the partitions. */
  stockWorkers?: number
  /** The source tree to start. Default: this one. */
  tree?: string
}

/** @param name also names the database and the key prefix: a second start under the same name has the same data. */
export async function startProduct(
  around: Surroundings,
  name = 'product',
  { stockWorkers = 1, tree }: ProductOptions = {},
): Promise<Product> {
  const { redisUrl, runtime, logDir, profileDir } = around
  const databaseUrl = await createDatabase(around.databaseUrl, name)
  const settings = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    REDIS_PREFIX: name,
    ...(profileDir && { NODE_OPTIONS: profiled(profileDir) }),
  }
  const ports = await takePorts()
  const starts = new Map<string, NpmStart>()
  const processes: MeasuredProcess[] = []
  const start = async (key: string, services: readonly ProcessName[], on: Ports) => {
    const logFile = join(logDir, `${name}${key}.log`)
    starts.set(
      key,
      await npmStart({ name: `${name}${key}`, services, ports: on, runtime, settings, logFile, tree }),
    )
    list()
  }
  const list = () => {
    const named = ([key, { starter, services }]: [string, NpmStart]) => [
      { ...starter, name: `starter${key}` },
      // The first process of a service keeps its name, whichever `npm start` runs it.
      ...services.map((it) => ({ ...it, name: key === firstStock ? it.name : it.name + key })),
    ]
    processes.splice(0, processes.length, ...[...starts].flatMap(named))
  }
  const stop = async () => {
    const all = [...starts.values()]
    starts.clear()
    list()
    await Promise.all(all.map((it) => it.stop()))
  }
  const startOthers = async () => {
    const numbers = Array.from({ length: stockWorkers - 1 }, (_, index) => index + 2)
    await Promise.all(numbers.map(async (it) => start(`-${it}`, ['stock'], await takePorts())))
  }
  try {
    await start('', processNames, ports)
    await startOthers()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...{ name, port: ports.reservation.port, processes, databaseUrl, stop },
    urls: addressesOf(ports, 'port'),
    opsUrls: addressesOf(ports, 'opsPort'),
    stopStock: async () => {
      await stop()
      await start('', ['reservation', 'notifier', 'web'], ports)
    },
    startStock: async () => {
      await Promise.all([start(firstStock, ['stock'], ports), startOthers()])
    },
    stock: (books) => eachOf(books, 64, (bookid) => receive(addressesOf(ports, 'port').stock, bookid)),
    account: async () => {
      const urls = addressesOf(ports, 'port')
      return { held: await heldOf(urls.stock), undecided: await someUndecided(urls.reservation) }
    },
  }
}

/** Every Node process writes its CPU profile to `dir`, named after its pid. */
const profiled = (dir: string) => `--cpu-prof --cpu-prof-dir=${dir} --cpu-prof-name=\${pid}.cpuprofile`

async function takePorts(): Promise<Ports> {
  const ports = await freePorts(2 * processNames.length)
  const its = processNames.map((name, i) => [name, { port: ports[2 * i]!, opsPort: ports[2 * i + 1]! }])
  return Object.fromEntries(its) as Ports
}

function addressesOf(ports: Ports, which: 'port' | 'opsPort'): Record<ServiceName, string> {
  const urlOf = (service: ServiceName) => `http://127.0.0.1:${ports[service][which]}`
  return { reservation: urlOf('reservation'), stock: urlOf('stock'), notifier: urlOf('notifier') }
}

async function receive(stock: string, bookid: string): Promise<void> {
  const response = await call(`${stock}/stocks`, { bookid, qty: copiesPerBook, title: bookid })
  if (response.status !== 201)
    throw new Error(`Cannot stock ${bookid}: ${response.status} ${await response.text()}`)
  await response.body?.cancel()
}

async function someUndecided(reservation: string): Promise<boolean> {
  const open = await call(`${reservation}/reservations?status=Requested&limit=1`)
  const { _embedded } = (await open.json()) as { _embedded: { reservations: unknown[] } }
  return _embedded.reservations.length > 0
}

/** Pages through all books. */
async function heldOf(stock: string): Promise<number> {
  type Page = { _embedded: { stocks: { held: number }[] }; _links: { next?: { href: string } } }
  let held = 0
  for (let next: string | undefined = '/stocks?limit=200'; next; ) {
    const page = (await (await call(new URL(next, stock).href)).json()) as Page
    for (const book of page._embedded.stocks) held += book.held
    next = page._links.next?.href
  }
  return held
}
