/** The product under measurement: its three services, on a database and under stream keys of their own. */
import { migrate } from '../../actors/migrate.ts'
import { compileServices } from '../../deploy/local/service.ts'
import type { MeasuredProcess } from './process.ts'
import {
  ask,
  copiesPerBook,
  createDatabase,
  eachOf,
  type Surroundings,
  startScript,
  type Target,
} from './target.ts'

export const services = ['stock', 'reservation', 'notifier'] as const
export type ServiceName = (typeof services)[number]

export type Product = Target & {
  databaseUrl: string
  urls: Record<ServiceName, string>
  /** Of metrics. */
  opsUrls: Record<ServiceName, string>
  stopService(name: ServiceName): Promise<void>
  /** It comes back on another port. */
  startService(name: ServiceName): Promise<void>
}

const partitions = 4

/**
 * @param name of database and keys too: started again under the same name, it finds its data.
 * @param stockWorkers processes of stock, which share the partitions.
 */
export async function startProduct(
  around: Surroundings,
  name = 'product',
  stockWorkers = 1,
): Promise<Product> {
  await compileServices(around.runtime)
  const databaseUrl = await createDatabase(around.databaseUrl, name)
  await migrate({ databaseUrl, partitions })
  const env = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: around.redisUrl,
    REDIS_PREFIX: name,
    PARTITIONS: String(partitions),
    DRAIN_MS: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
  }
  const processes: MeasuredProcess[] = []
  // The first of a service is the one that is asked.
  const namesOf = (service: ServiceName) =>
    Array.from({ length: service === 'stock' ? stockWorkers : 1 }, (_, i) =>
      i ? `${service}-${i + 1}` : service,
    )
  const urls = {} as Record<ServiceName, string>
  const opsUrls = {} as Record<ServiceName, string>
  const stopService = async (service: ServiceName) => {
    const its = processes.filter(({ name }) => namesOf(service).includes(name))
    for (const it of its) processes.splice(processes.indexOf(it), 1)
    await Promise.all(its.map((it) => it.stop()))
  }
  const startService = async (service: ServiceName) => {
    for (const name of namesOf(service).toReversed()) {
      const it = await startScript(name, `actors/${service}/main.ts`, env, around)
      processes.push(it)
      urls[service] = `http://127.0.0.1:${it.port}`
      opsUrls[service] = `http://127.0.0.1:${it.opsPort}`
    }
  }
  const stop = async () => void (await Promise.all(processes.splice(0).map((it) => it.stop())))
  try {
    for (const service of services) await startService(service)
  } catch (error) {
    await stop()
    throw error
  }
  const { port } = processes.find((it) => it.name === 'reservation')!
  return {
    ...{ name, port, processes, databaseUrl, urls, opsUrls, stopService, startService, stop },
    stock: (books) => eachOf(books, 64, (bookid) => receive(urls.stock, bookid)),
    account: async () => ({
      held: await heldOf(urls.stock),
      undecided: await someUndecided(urls.reservation),
    }),
  }
}

async function receive(stock: string, bookid: string): Promise<void> {
  const response = await ask(`${stock}/stocks`, { bookid, qty: copiesPerBook, title: bookid })
  if (response.status !== 201)
    throw new Error(`Cannot stock ${bookid}: ${response.status} ${await response.text()}`)
  await response.body?.cancel()
}

export async function someUndecided(reservation: string): Promise<boolean> {
  const open = await ask(`${reservation}/reservations?status=Requested&limit=1`)
  const { _embedded } = (await open.json()) as { _embedded: { reservations: unknown[] } }
  return _embedded.reservations.length > 0
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
