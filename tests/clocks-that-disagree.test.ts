/**
 * The clocks of the services and of Postgres are off by up to an hour, in different directions. Redis has the right
 * time, which differs from all of them. All promises hold, and every visible time is Postgres's.
 */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceName } from '../platform/config.ts'
import { eventually, range } from './doubles/eventually.ts'
import { clockOff, noFakeClock } from './doubles/fake-clock.ts'
import { OwnServer } from './doubles/own-server.ts'
import { WebhookSink } from './doubles/webhook-sink.ts'
import { decided, every, type Reservation, receive, reserve, reserveAndWait } from './harness/acts.ts'
import { audit } from './harness/audit.ts'
import { type System, startSystem } from './harness/system.ts'

const secondsApart = (one: Date | string, other: Date | string) =>
  Math.abs(new Date(one).getTime() - new Date(other).getTime()) / 1_000
/** For a busy machine. */
const slackS = 30

/** Ids rise with Postgres's time, so ids made seconds apart are in order, whichever process made them. */
function expectTimeIn(ids: string[], times: string[]): void {
  const inIds = ids.map((id) => new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)))
  for (const [i, time] of inIds.entries()) expect(secondsApart(time, times[i]!)).toBeLessThan(2)
  expect(ids).toEqual(ids.toSorted().reverse())
}

type Timed = Reservation & { createdAt: string; updatedAt: string }

/**
 * Postgres's clock is between those of the services: some are ahead of it, some behind, each by a different time. It is fast: in a
 * signal handler libfaketime may give the right time, and to a slow Postgres that is a jump ahead, at which statements time out.
 */
const postgresOffset = '+20m'
/** Offsets of the first and the second process. */
const offsets: Record<ServiceName, [string, string]> = {
  reservation: ['+1h', '-1h'],
  stock: ['-1h', '+1h'],
  notifier: ['+1h', '-1h'],
}

const title = `clocks that are off${noFakeClock ? ` (${noFakeClock})` : ''}`

describe.skipIf(noFakeClock !== undefined)(title, () => {
  let postgres: OwnServer
  let redis: OwnServer
  let hooks: WebhookSink
  let system: System
  const accepted: Reservation[] = []
  const received: Record<string, number> = { book: 1_000 }

  beforeAll(async () => {
    ;[postgres, redis, hooks] = await Promise.all([
      OwnServer.postgres(undefined, clockOff(postgresOffset)),
      OwnServer.redis(),
      WebhookSink.start(),
    ])
    system = await startSystem({
      postgresUrl: postgres.url,
      redisUrl: redis.url,
      reservation: 2,
      stock: 2,
      env: {
        CHAT_WEBHOOK_URL: hooks.url,
        WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
        // Long enough to distinguish waiting from not waiting.
        RESEND_AFTER_MS: '1500',
      },
      envOf: (service, index) => clockOff(offsets[service][index]!),
    })
    await receive(system, 'book', 1_000)
  }, 60_000)
  afterAll(async () => {
    const faults = await system?.stop()
    for (const it of [hooks, redis, postgres]) await it?.[Symbol.asyncDispose]()
    expect(faults).toEqual([])
  })

  const clock = async () => (await system.sql<{ at: Date }[]>`select clock_timestamp() as at`)[0]!.at
  const both = () => [0, 1].map((index) => system.client('reservation', index))

  test('the clocks are off as intended', async () => {
    const minutes = secondsApart(await clock(), new Date()) / 60
    expect(Math.round(minutes)).toBe(20)
    const [line] = system.processes.reservation[0]!.logs
    expect(secondsApart(String(line!.time), new Date()) / 60).toBeGreaterThan(55)
  })

  test('a reservation has the time of Postgres, and is decided after its creation', async () => {
    for (const client of both()) {
      const it = (await reserveAndWait(client, 'book', 'ann')) as Timed
      accepted.push(it)
      expect(secondsApart(it.createdAt, await clock())).toBeLessThan(slackS)
      expect(new Date(it.updatedAt).getTime()).toBeGreaterThanOrEqual(new Date(it.createdAt).getTime())
      expect((await client.get<Timed>(`/reservations/${it.reservationid}`)).body).toEqual(it)
    }
    const { body } = await system.stock.get<{ _embedded: { movements: { time: string }[] } }>(
      '/stocks/book/movements',
    )
    for (const { time } of body._embedded.movements)
      expect(secondsApart(time, await clock())).toBeLessThan(60 + slackS)
  })

  test('lists are complete and newest first, from either process, in pages too', async () => {
    const made: string[] = []
    for (const index of range(6)) {
      const it = await reserve(both()[index % 2]!, 'book', 'lister')
      accepted.push(it)
      made.push(it.reservationid)
    }
    for (const client of both()) {
      const listed = await every<Timed>(client, 'reservations', '/reservations?userid=lister&limit=2')
      const ids = listed.map((it) => it.reservationid)
      expect(ids.toSorted()).toEqual(made.toSorted())
      expectTimeIn(
        ids,
        listed.map((it) => it.createdAt),
      )
    }
    for (const index of range(4)) {
      const order = { bookid: 'bought', qty: 1 }
      expect((await system.client('stock', index % 2).post('/purchases', order)).status).toBe(201)
    }
    const purchases = await every<{ purchaseid: string; orderedAt: string }>(
      system.stock,
      'purchases',
      '/purchases?bookid=bought&limit=1',
    )
    expect(purchases).toHaveLength(4)
    expectTimeIn(
      purchases.map((it) => it.purchaseid),
      purchases.map((it) => it.orderedAt),
    )
  })

  test('commands that Redis loses are sent again within seconds, repeatedly', {
    timeout: 60_000,
  }, async () => {
    const stocks = system.processes.stock
    for (const _ of range(3)) {
      await Promise.all(stocks.map((it) => it.stop()))
      const lost = await Promise.all(both().map((client) => reserve(client, 'book', 'unlucky')))
      accepted.push(...lost)
      await forgetAll(redis)
      await Promise.all(stocks.map((it) => it.start()))
      for (const { reservationid } of lost) await decided(system.reservation, reservationid, 20_000)
    }
  })

  test('the age of undecided reservations is right', { timeout: 60_000 }, async () => {
    const values = (name: string) =>
      Promise.all(
        system.processes.reservation.map(async ({ opsUrl }) => {
          const text = await (await fetch(`${opsUrl}/metrics`)).text()
          return Number(new RegExp(`^${name}\\{.*\\} (.*)$`, 'm').exec(text)![1])
        }),
      )
    const ages = () => values('bookreservation_reservations_undecided_seconds')
    const stocks = system.processes.stock
    await Promise.all(stocks.map((it) => it.stop()))
    accepted.push(await reserve(system.reservation, 'book', 'patient'))
    await eventually(async () => (await ages()).every((it) => it > 1))
    for (const age of await ages()) expect(age).toBeLessThan(60)
    await Promise.all(stocks.map((it) => it.start()))
    await eventually(async () => (await ages()).every((it) => it === 0), { timeoutMs: 20_000 })
    const sums = await values('bookreservation_decision_duration_seconds_sum')
    expect(Math.min(...sums)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...sums)).toBeGreaterThan(0)
    expect(Math.max(...sums)).toBeLessThan(600)
  })

  test('notices have the time of Postgres, in signatures too', async () => {
    const hook = await eventually(() => hooks.hooks.at(-1))
    expect(secondsApart(String(hook.body.createdAt), await clock())).toBeLessThan(120)
    const timestamp = new Date(Number(hook.headers['webhook-timestamp']) * 1_000)
    expect(secondsApart(timestamp, await clock())).toBeLessThan(120)
  })

  test('all promises hold', async () => {
    await audit(system, { received, accepted })
  })
})

async function forgetAll(redis: OwnServer): Promise<void> {
  const client = new Redis(redis.url)
  await client.flushall()
  client.disconnect()
}
