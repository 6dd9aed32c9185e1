/** A store fails over to its replica while customers reserve: what was accepted stays, and everything is decided. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually, range } from './doubles/eventually.ts'
import { PostgresPair } from './doubles/postgres-pair.ts'
import { startRedisCluster } from './doubles/redis-cluster.ts'
import { TcpProxy } from './doubles/tcp-proxy.ts'
import { receive, reserveAndWait, reserveUntilAccepted } from './harness/acts.ts'
import { audit } from './harness/audit.ts'
import { type System, startOwnSystem } from './harness/system.ts'

const books = range(20).map((n) => `book-${n}`)
const copies = 50
/** On an idle machine it takes 3 s; the rest is for one that is busy with other tests. */
const recoveredMs = 15_000

/** Customers who reserve one after the other. @returns a function that waits for what they were promised. */
function customers(system: System): () => Promise<{ reservationid: string }[]> {
  const leaving = new AbortController()
  const accepted: { reservationid: string }[] = []
  const lanes = range(4).map(async (lane) => {
    for (let n = 0; !leaving.signal.aborted; n++) {
      const [userid, bookid] = [`reader-${lane}-${n}`, books[n % books.length]!]
      accepted.push(await reserveUntilAccepted(system.reservation, bookid, userid, userid))
    }
  })
  return async () => {
    leaving.abort()
    await Promise.all(lanes)
    return accepted
  }
}

/** One reservation of each book, so of every partition. @returns the milliseconds until all were decided. */
async function recovery(system: System, since: number): Promise<number> {
  await Promise.all(
    books.map((bookid) =>
      eventually(() => reserveAndWait(system.reservation, bookid, `after-${bookid}`), {
        timeoutMs: 60_000,
      }),
    ),
  )
  return Math.round(performance.now() - since)
}

async function failsOver(system: System, failOver: () => Promise<void>): Promise<void> {
  for (const bookid of books) await receive(system, bookid, copies)
  const leave = customers(system)
  await recovery(system, performance.now())
  const since = performance.now()
  await failOver()
  const recoveryMs = await recovery(system, since)
  const accepted = await leave()
  console.log(
    `every partition decides again after ${recoveryMs} ms; ${accepted.length} reservations accepted`,
  )
  const received = Object.fromEntries(books.map((bookid) => [bookid, copies]))
  await audit(system, { received, accepted })
  expect(recoveryMs).toBeLessThan(recoveredMs)
}

test('Postgres fails over to its synchronous standby, which DATABASE_URL names, too', async (context) => {
  await using pair = await PostgresPair.start()
  await using address = await TcpProxy.start(pair.primary.url)
  await using system = await startOwnSystem(context, {
    postgresUrl: address.url,
    stock: 2,
    envOf: (_service, _index, env) => ({
      DATABASE_URL: env.DATABASE_URL!.replace(
        new URL(address.url).host,
        `${new URL(pair.primary.url).host},${new URL(pair.standby.url).host}`,
      ),
    }),
  })
  await failsOver(system, async () => {
    await pair.failOver()
    address.moveTo(pair.standby.url)
  })
}, 120_000)

test('a managed Postgres fails over behind its address', async (context) => {
  await using pair = await PostgresPair.start()
  await using address = await TcpProxy.start(pair.primary.url)
  await using system = await startOwnSystem(context, { postgresUrl: address.url, stock: 2 })
  await failsOver(system, async () => {
    await pair.failOver()
    address.moveTo(pair.standby.url)
  })
}, 120_000)

test('a master of a Redis Cluster fails over to its replica', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-failover-'))
  const dirs = range(6).map((node) => join(dir, String(node)))
  context.onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await using cluster = await startRedisCluster({ dirs, replicas: 3 })
  await using system = await startOwnSystem(context, { redisUrl: cluster.url, stock: 2 })
  await failsOver(system, async () => cluster.nodes[0]!.kill('SIGKILL'))
}, 120_000)
