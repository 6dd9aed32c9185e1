/**
 * A firewall forgets a connection, a host disappears, a proxy swallows everything: there is no RST and no FIN. Within
 * 15 s every service replaces such connections by itself; until then nothing accepted is lost or done twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { serviceNames } from '../../platform/config.ts'
import { eventually } from '../doubles/eventually.ts'
import { TcpProxy } from '../doubles/tcp-proxy.ts'
import { receive, reserveUntilAccepted, stockOf } from '../harness/acts.ts'
import type { Client } from '../harness/client.ts'
import { withDatabase } from '../harness/database.ts'
import { type System, useSystem } from '../harness/system.ts'

const replacedMs = 15_000
/** Interval between two reservations of the load. */
const everyMs = 100
/** Consecutive accepted reservations that show that all is normal again. */
const usual = 20
const copies = 1_000
/** A 503 takes at most 2 s; the rest is for a machine that is busy with other tests. */
const promptMs = 5_000

const stores = ['redis', 'postgres'] as const
type Wires = Record<(typeof stores)[number], TcpProxy>

// Each service in its own system, concurrently; in each, one wire after the other.
describe.concurrent.each(serviceNames)('between %s and', (service) => {
  let wires: Wires
  beforeAll(async () => {
    wires = {
      redis: await TcpProxy.start(inject('redisUrl')),
      postgres: await TcpProxy.start(inject('postgresUrl')),
    }
  })
  afterAll(async () => {
    await Promise.all(stores.map((store) => wires[store][Symbol.asyncDispose]()))
  })
  const system = useSystem({
    // Longer than in other tests, so that taking over after an expired lease would be too late.
    env: { LEASE_TTL_MS: '5000', RESEND_AFTER_MS: '3000' },
    envOf: (it, _, env) =>
      it !== service
        ? {}
        : {
            DATABASE_URL: withDatabase(wires.postgres.url, new URL(env.DATABASE_URL!).pathname.slice(1)),
            REDIS_URL: wires.redis.url,
          },
  })

  test.sequential.each(stores)('%s', { timeout: 60_000 }, async (store) => {
    const book = `of-${store}`
    const wire = wires[store]
    await receive(system(), book, copies)
    const processes = system().all.map(({ pid }) => pid)
    const load = new Load(system().reservation, book)
    await sleep(1_000)
    wire.abandon()
    expect(wire.kept).toBeGreaterThan(0)
    const deadline = performance.now() + replacedMs

    // Every connection is replaced in time; from then on reservations are accepted at once, and soon decided and notified.
    const isReplaced = { timeoutMs: replacedMs, message: 'Some connections are not replaced' }
    await eventually(() => wire.kept === 0, isReplaced)
    const replaced = load.asked
    const left = () => Math.max(0, deadline - performance.now())
    const isAsUsual = { timeoutMs: left() + usual * everyMs }
    await eventually(() => load.asked - Math.max(replaced, load.lastRefused + 1) >= usual, isAsUsual)
    await load.end()
    expect(load.lastRefused, 'the last ones are all accepted').toBeLessThan(load.asked - usual)
    const soon = () => ({ timeoutMs: left() + 3_000 })
    await eventually(async () => (await stockOf(system(), book)).held >= load.accepted, soon())
    await eventually(async () => (await notifiedCount(system(), book)) >= load.accepted, soon())
    expect(load.slowestMs).toBeLessThan(promptMs)
    expect(
      system().all.map(({ pid }) => pid),
      'restarted',
    ).toEqual(processes)
    for (const { url, name } of system().all)
      expect((await fetch(`${url}/livez`)).status, `${name} is alive`).toBe(200)

    // Nothing is lost or done twice: refused customers repeat their request with its key.
    for (const { index } of load.refusals)
      await reserveUntilAccepted(system().reservation, book, ...load.who(index))
    await eventually(async () => (await stockOf(system(), book)).held === load.asked)
    expect((await stockOf(system(), book)).qty).toBe(copies - load.asked)
    await eventually(async () => (await notifiedCount(system(), book)) === load.asked)
    wire.reap()
  })
})

/** Reserves a copy at a fixed rate, whether or not earlier requests were answered. */
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

  /** The user of that turn, and their key. */
  readonly who: (index: number) => [userid: string, key: string]

  /** The turn of the last refused request; -1 if none was refused. */
  get lastRefused(): number {
    return Math.max(-1, ...this.refusals.map(({ index }) => index))
  }

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

/** How many reservations of the book have a notice. */
async function notifiedCount(system: System, bookid: string): Promise<number> {
  const [row] = await system.sql<{ count: number }[]>`
    select count(distinct reservationid) as count from notifier.notice
    where bookid = ${bookid} and kind = 'reserved'`
  return Number(row!.count)
}
