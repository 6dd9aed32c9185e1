/**
 * A firewall forgets a connection, a host is gone, a proxy swallows everything: no RST and no FIN says so. Within 15 s every
 * service has replaced such connections by itself, and until then nothing that was accepted is lost, or done twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { serviceNames } from '../config.ts'
import { receive, reserveUntilAccepted, stockOf } from '../testing/acts.ts'
import type { Client } from '../testing/client.ts'
import { eventually } from '../testing/eventually.ts'
import { useSystem, withDatabase } from '../testing/system.ts'
import { TcpProxy } from '../testing/tcp-proxy.ts'

const replacedMs = 15_000
/** Between two reservations of the load. */
const everyMs = 100
const copies = 1_000
/** A 503 comes within 2 s; the rest is for a machine that is busy with other tests. */
const promptMs = 3_000

const stores = ['redis', 'postgres'] as const
type Wires = Record<(typeof stores)[number], TcpProxy>
const wires = {} as Record<(typeof serviceNames)[number], Wires>
beforeAll(async () => {
  for (const service of serviceNames)
    wires[service] = {
      redis: await TcpProxy.start(inject('redisUrl')),
      postgres: await TcpProxy.start(inject('postgresUrl')),
    }
})
afterAll(async () => {
  for (const { redis, postgres } of Object.values(wires))
    await Promise.all([redis, postgres].map((wire) => wire[Symbol.asyncDispose]()))
})

const system = useSystem({
  // Longer than in other tests: what takes over only when a lease runs out comes too late here.
  env: { LEASE_TTL_MS: '5000', RESEND_AFTER_MS: '3000' },
  envOf: (service, _, env) => ({
    DATABASE_URL: withDatabase(wires[service].postgres.url, new URL(env.DATABASE_URL!).pathname.slice(1)),
    REDIS_URL: wires[service].redis.url,
  }),
})

const six = serviceNames.flatMap((service) => stores.map((store) => [service, store] as const))

test.each(six)('between %s and %s', { timeout: 90_000 }, async (service, store) => {
  const book = `${service}-${store}`
  await receive(system(), book, copies)
  const processes = system().all.map(({ pid }) => pid)
  const load = new Load(system().reservation, book)
  await sleep(1_000)
  wires[service][store].abandon()
  await sleep(replacedMs)

  // From now on all is as usual: whatever comes is accepted at once, and soon decided and told.
  const before = load.asked
  await sleep(2_000)
  await load.end()
  expect(load.asked).toBeGreaterThan(before)
  expect(
    load.refusals.filter((it) => it.index >= before),
    'refused later than that',
  ).toEqual([])
  const soon = { timeoutMs: 3_000 }
  await eventually(async () => (await stockOf(system(), book)).held >= load.accepted, soon)
  await eventually(async () => (await told(book)) >= load.accepted, soon)
  expect(load.slowestMs).toBeLessThan(promptMs)
  expect(
    system().all.map(({ pid }) => pid),
    'restarted',
  ).toEqual(processes)
  for (const { url, name } of system().all)
    expect((await fetch(`${url}/livez`)).status, `${name} is alive`).toBe(200)

  // Nothing is lost and nothing done twice, whatever was refused: those who were ask again with their key.
  for (const { index } of load.refusals)
    await reserveUntilAccepted(system().reservation, book, ...load.who(index))
  await eventually(async () => (await stockOf(system(), book)).held === load.asked)
  expect((await stockOf(system(), book)).qty).toBe(copies - load.asked)
  await eventually(async () => (await told(book)) === load.asked)
  wires[service][store].reap()
})

/** Somebody asks for a copy every so often, whether those before were answered or not. */
class Load {
  readonly refusals: { index: number; status: number }[] = []
  asked = 0
  accepted = 0
  slowestMs = 0
  readonly #timer: NodeJS.Timeout
  readonly #underWay = new Set<Promise<void>>()

  constructor(client: Client, bookid: string) {
    this.who = (index) => [`reader-${index}`, `${bookid}-${index}`]
    this.#timer = setInterval(() => {
      const asking = this.#ask(client, bookid, this.asked++).finally(() => this.#underWay.delete(asking))
      this.#underWay.add(asking)
    }, everyMs)
  }

  /** The user who asked at that turn, and their key. */
  readonly who: (index: number) => [userid: string, key: string]

  async #ask(client: Client, bookid: string, index: number): Promise<void> {
    const [userid, key] = this.who(index)
    const headers = { 'idempotency-key': key }
    const { status, tookMs } = await client.post('/reservations', { bookid, userid }, { headers })
    this.slowestMs = Math.max(this.slowestMs, tookMs)
    if (status === 201) this.accepted++
    else this.refusals.push({ index, status })
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#underWay)
  }
}

/** How many reservations of the book the console was told of. */
async function told(bookid: string): Promise<number> {
  const [row] = await system().sql<{ count: number }[]>`
    select count(distinct reservationid) as count from notifier.notice
    where bookid = ${bookid} and kind = 'reserved'`
  return Number(row!.count)
}
