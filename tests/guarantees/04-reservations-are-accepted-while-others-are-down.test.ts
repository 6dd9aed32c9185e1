/** Promise 4: reservations are accepted while stock, notifier or Redis is down, and decided when they are back. */
import { setInterval as ticks } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { OwnServer } from '../doubles/own-server.ts'
import { TcpProxy } from '../doubles/tcp-proxy.ts'
import {
  count,
  decided,
  everyNotice,
  type Reservation,
  receive,
  reserve,
  reserveUntilAccepted,
} from '../harness/acts.ts'
import { audit } from '../harness/audit.ts'
import type { Answer, Client } from '../harness/client.ts'
import { withDatabase } from '../harness/database.ts'
import { type System, startOwnSystem, useSystem } from '../harness/system.ts'

/** A response takes at most 2 s; the rest is for a machine that is busy with other tests. */
const promptMs = 3_000
/** A receipt may wait 5 s for stock's decision. */
const receiptMs = 6_000

/** Between the shared system and its stores. */
let toRedis: TcpProxy
let toPostgres: TcpProxy
beforeAll(async () => {
  toRedis = await TcpProxy.start(inject('redisUrl'))
  toPostgres = await TcpProxy.start(inject('postgresUrl'))
})
afterAll(async () => {
  await toRedis[Symbol.asyncDispose]()
  await toPostgres[Symbol.asyncDispose]()
})
const shared = useSystem({
  envOf: (_service, _index, env) => ({
    DATABASE_URL: withDatabase(toPostgres.url, new URL(env.DATABASE_URL!).pathname.slice(1)),
    REDIS_URL: toRedis.url,
  }),
})
/** Of the shared system, until now. */
const expected = { received: {} as Record<string, number>, accepted: [] as Reservation[] }
const receiveShared = async (bookid: string, qty: number) => {
  expected.received[bookid] = qty
  await receive(shared(), bookid, qty)
}

test('AC2: while stock and the notifier are down, reservations are accepted; then they are decided and notices sent', async () => {
  const system = shared()
  await receiveShared('down', 10)
  const down = [system.processes.stock[0]!, system.processes.notifier[0]!]
  await Promise.all(down.map((process) => process.stop()))
  const made = await inParallel(range(25), 25, (index) =>
    reserve(system.reservation, 'down', `reader-${index}`),
  )
  expect(made.every(({ status }) => status === 'Requested')).toBe(true)
  expected.accepted.push(...made)
  await Promise.all(down.map((process) => process.start()))
  const reservations = await audit(system, expected)
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBe(10)
  await eventually(
    async () => (await everyNotice(system, '&status=Sent')).filter((it) => it.reservationid).length === 25,
  )
})

test.concurrent('AC2: while Redis is down for ten seconds, reservations are accepted; then they are decided', {
  timeout: 60_000,
}, async (context) => {
  await using redis = await OwnServer.redis()
  await using system = await startOwnSystem(context, { redisUrl: redis.url })
  await receive(system, 'book', 20)
  const accepted = await inParallel(range(5), 5, (index) =>
    reserve(system.reservation, 'book', `early-${index}`),
  )
  await redis.stop()
  const slow: number[] = []
  for await (const index of seconds(10)) {
    const answer = await post(system, 'book', `reader-${index}`)
    expect(answer.status).toBe(201)
    if (answer.tookMs > promptMs) slow.push(answer.tookMs)
    accepted.push(answer.body)
  }
  expect(slow).toEqual([])
  // Requests that need stock's decision fail.
  const receipt = await system.stock.post(
    '/stocks',
    { bookid: 'book', qty: 1 },
    { headers: { 'idempotency-key': 'r' } },
  )
  expect(receipt.status).toBe(503)
  for (const process of system.all) {
    expect((await fetch(`${process.url}/livez`)).status, `${process.name} is alive without Redis`).toBe(200)
    expect((await fetch(`${process.url}/readyz`)).status, `${process.name} is ready without Redis`).toBe(200)
  }
  await redis.start()
  await eventually(async () => {
    const again = await system.stock.post(
      '/stocks',
      { bookid: 'book', qty: 1 },
      { headers: { 'idempotency-key': 'r' } },
    )
    return again.status === 201
  })
  const reservations = await audit(system, { received: { book: 21 }, accepted })
  // The last copy may have gone before or after the last refusal.
  expect(count(reservations, ({ status }) => status === 'Reserved')).toBeGreaterThanOrEqual(20)
})

test.concurrent('while Redis is silent, and after a start without it, reservations are accepted; then they are decided', {
  timeout: 60_000,
}, async () => {
  const system = shared()
  await receiveShared('silent', 50)
  toRedis.silence()
  const answers = await inParallel(range(30), 10, (index) => post(system, 'silent', `reader-${index}`))
  expect(answers.map(({ status }) => status)).toEqual(range(30).map(() => 201))
  expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(promptMs)
  toRedis.restore()
  expected.accepted.push(...answers.map(({ body }) => body))
  await audit(system, expected)

  toRedis.refuse()
  const process = system.processes.reservation[0]!
  for (const userid of ['ann', 'ben']) {
    // It stops cleanly without Redis, too.
    await process.stop()
    await process.start()
    expected.accepted.push(await reserve(system.reservation, 'silent', userid))
  }
  toRedis.restore()
  await audit(system, expected)
})

describe('while Postgres restarts', () => {
  test('every response is prompt, and the only error is 503; then all goes on without restarting a service', {
    timeout: 90_000,
  }, async (context) => {
    await using postgres = await OwnServer.postgres()
    await using system = await startOwnSystem(context, { postgresUrl: postgres.url })
    await receive(system, 'book', 30)
    const pids = system.all.map(({ pid }) => pid)
    const accepted: Reservation[] = []
    const seen: { call: string; status: number; late: boolean }[] = []
    const note = (call: string, { status, tookMs }: Answer<unknown>, limitMs = promptMs) =>
      seen.push({ call, status, late: tookMs > limitMs })
    const look = async () => {
      await Promise.all([
        system.stock.get('/stocks/book').then((answer) => note('stock', answer)),
        system.reservation.get('/books').then((answer) => note('books', answer)),
        system.reservation.get('/reservations?userid=ann').then((answer) => note('reservations', answer)),
        system.notifier.get('/notices').then((answer) => note('notices', answer)),
        system.stock.post('/stocks', { bookid: 'book', qty: 0 }).then((it) => note('receipt', it, receiptMs)),
        post(system, 'book', 'reader').then((answer) => {
          note('reservation', answer)
          if (answer.status === 201) accepted.push(answer.body)
        }),
      ])
    }
    const refused = () => seen.filter(({ status }) => status >= 300)

    await look()
    expect(refused()).toEqual([])
    // The first of these are in flight when it goes down.
    for (const goDown of [() => postgres.stop(), () => postgres.crash()]) {
      const down = goDown()
      for await (const _ of seconds(1.5)) await look()
      await down
      await postgres.start()
      await eventually(async () => (await system.reservation.get('/books')).status === 200)
    }
    const insisted = await reserveUntilAccepted(system.reservation, 'book', 'insisting', 'insisting')
    accepted.push(insisted)
    expect((await decided(system.reservation, insisted.reservationid, 20_000)).status).toBe('Reserved')

    expect(refused().length).toBeGreaterThan(0)
    expect(refused().filter(({ status }) => status !== 503)).toEqual([])
    expect(seen.filter(({ late }) => late)).toEqual([])
    expect(system.all.map(({ pid }) => pid)).toEqual(pids)
    await audit(system, { received: { book: 30 }, accepted })
  })
})

test('while Postgres is silent, every response is a prompt 503; then all goes on', {
  timeout: 60_000,
}, async () => {
  const system = shared()
  await receive(system, 'book', 3)
  const { reservationid } = await reserve(system.reservation, 'book', 'early')
  toPostgres.silence()
  const calls: [Client, string, string, unknown?][] = [
    [system.reservation, 'GET', '/books'],
    [system.reservation, 'GET', '/reservations'],
    [system.reservation, 'GET', `/reservations/${reservationid}`],
    [system.reservation, 'GET', `/reservations/${reservationid}/events`],
    [system.reservation, 'POST', '/reservations', { bookid: 'book', userid: 'ann' }],
    [system.reservation, 'PATCH', `/reservations/${reservationid}`, { status: 'Canceled' }],
    [system.stock, 'GET', '/stocks'],
    [system.stock, 'GET', '/stocks/book'],
    [system.stock, 'GET', '/stocks/book/movements'],
    [system.stock, 'GET', '/purchase-requests'],
    [system.stock, 'GET', '/purchases'],
    [system.notifier, 'GET', '/notices'],
    [system.notifier, 'GET', '/customers/ann'],
    [system.notifier, 'PUT', '/customers/ann', { locale: 'en' }],
  ]
  const answers = await Promise.all(
    calls.map(async ([client, method, path, json]) => {
      const answer = await client.ask(method, path, { json, timeoutMs: 10_000 }).catch(() => undefined)
      const late = answer === undefined || answer.tookMs > promptMs
      return { call: `${method} ${path}`, status: answer?.status, late }
    }),
  )
  expect(answers).toEqual(answers.map(({ call }) => ({ call, status: 503, late: false })))
  for (const process of system.all) {
    expect((await fetch(`${process.url}/livez`)).status, `${process.name} lives without Postgres`).toBe(200)
    expect((await fetch(`${process.url}/readyz`)).status, `${process.name} is not ready`).toBe(503)
  }
  toPostgres.restore()
  const insisted = await reserveUntilAccepted(system.reservation, 'book', 'insisting', 'insisting')
  expect((await decided(system.reservation, insisted.reservationid, 20_000)).status).toBe('Reserved')
})

/** Ten numbers a second, for this many seconds. */
async function* seconds(length: number): AsyncGenerator<number> {
  const end = performance.now() + length * 1_000
  let index = 0
  for await (const _ of ticks(100)) {
    if (performance.now() > end) return
    yield index++
  }
}

const post = (system: System, bookid: string, userid: string) =>
  system.reservation.post<Reservation>('/reservations', { bookid, userid })
