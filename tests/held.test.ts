/** The number of requests that a process holds open is limited, so that no number of clients can crash it. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { heldRequestsMax } from '../platform/http/held.ts'
import { largeBodiesMax } from '../platform/http/input.ts'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import { type Reservation, receive, reserve, waitFor } from './harness/acts.ts'
import type { Runtime } from './harness/service-process.ts'
import { useSystem } from './harness/system.ts'

/** The part of the held requests that wait. */
const waits = 300

/** Kubernetes kills a process at 384 MiB. */
const memoryMaxBytes = 300 * 2 ** 20

describe.each<Runtime>(['node', 'deno'])('on %s', (runtime) => {
  const system = useSystem({ runtime, notifier: 0 })
  const reservation = () => system().reservation
  let followed: Reservation
  const held: Held[] = []
  const wait = () => ask(reservation().url, 'POST /reservations', { bookid: 'wanted', userid: 'flood' })
  const follow = () => ask(reservation().url, `GET /reservations/${followed.reservationid}/events`)
  const open = async (count: number, request: () => Promise<Held>) =>
    void held.push(...(await inParallel(range(count), 100, request)))
  const metric = async (service: 'reservation' | 'stock', name: string) =>
    Number((await metricsOf(system().opsUrl(service))).match(new RegExp(`^${name}{[^}]*} (.*)$`, 'm'))?.[1])
  const holds = (count: number) =>
    eventually(async () => (await metric('reservation', 'bookreservation_http_requests_held')) === count, {
      timeoutMs: 30_000,
    })

  beforeAll(async () => {
    await receive(system(), 'wanted', 1_000_000)
    followed = await reserve(reservation(), 'wanted', 'ann', { headers: waitFor(20) })
  })
  afterEach(async () => {
    system().processes.stock[0]!.resume()
    for (const { socket } of held.splice(0)) socket.destroy()
    await holds(0)
  })

  test('requests are held up to the limit, the next is refused at once, and all others are served', async () => {
    system().processes.stock[0]!.pause()
    // Streams first: a wait ends after 30 s, and a busy machine may need that long to open them all.
    await open(heldRequestsMax - waits, follow)
    await open(waits, wait)
    await holds(heldRequestsMax)

    const { body } = await reservation().get<{ _embedded: { reservations: unknown[] } }>(
      '/reservations?userid=next',
    )
    expect(body._embedded.reservations).toEqual([])
    const answers = [
      await reservation().post(
        '/reservations',
        { bookid: 'wanted', userid: 'next' },
        { headers: waitFor(30) },
      ),
      await reservation().get(`${followed._links.self.href}/events`),
    ]
    for (const { status, headers, tookMs } of answers) {
      expect(status).toBe(503)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      expect(tookMs).toBeLessThan(5_000)
    }
    const refused = await reservation().get<typeof body>('/reservations?userid=next')
    expect(refused.body._embedded.reservations, 'a refused request has no effect').toEqual([])

    await reserve(reservation(), 'wanted', 'patient')
    expect((await reservation().get(followed._links.self.href)).status).toBe(200)
    expect((await fetch(`${reservation().url}/livez`)).status).toBe(200)
    expect(await residentBytes(system().processes.reservation[0]!.pid)).toBeLessThan(memoryMaxBytes)

    system().processes.stock[0]!.resume()
    for (const { status } of held.slice(-waits)) expect(await status).toBe(201)
    await holds(heldRequestsMax - waits)
  }, 120_000)

  test('a client that disconnects frees its place', async () => {
    system().processes.stock[0]!.pause()
    await open(20, wait)
    await open(20, follow)
    await holds(40)
    for (const { socket } of held.splice(10, 20)) socket.destroy()
    await holds(20)
  })

  test('pipelined requests free all their places when their connection closes', async () => {
    system().processes.stock[0]!.pause()
    await open(1, () =>
      ask(reservation().url, `GET /reservations/${followed.reservationid}/events`, undefined, { times: 50 }),
    )
    await eventually(async () => (await metric('reservation', 'bookreservation_http_requests_held')) >= 1)
    for (const { socket } of held.splice(0)) socket.destroy()
    await holds(0)
  })

  test('only a limited number of slow, large bodies is received, and small ones go on', async () => {
    const large = { bookid: 'wanted', userid: 'slow', note: 'x'.repeat(50_000) }
    const slow = () => ask(reservation().url, 'POST /reservations', large, { send: 0.9 })
    await open(2 * largeBodiesMax, slow)
    const refused: number[] = []
    for (const { status } of held) void status.then((it) => refused.push(it))
    await eventually(() => refused.length === largeBodiesMax)
    expect(new Set(refused)).toEqual(new Set([503]))
    await reserve(reservation(), 'wanted', 'quick')
  })

  test('receipts are held while they wait for confirmation', async () => {
    const lock = await system().sql.reserve()
    await lock`begin`
    await lock`lock table stock.book`
    await open(20, () => ask(system().stock.url, 'POST /stocks', { bookid: 'received', qty: 1 }))
    await eventually(async () => (await metric('stock', 'bookreservation_http_requests_held')) === 20)
    for (const { socket } of held.splice(0)) socket.destroy()
    await eventually(async () => (await metric('stock', 'bookreservation_http_requests_held')) === 0, {
      timeoutMs: 4_000,
    })
    await lock`rollback`
    lock.release()
  })
})

type Held = { socket: Socket; status: Promise<number> }

/** A request on a connection of its own, or several copies or a part of it. Reads only the status of the response. */
async function ask(url: string, what: string, json?: object, { times = 1, send = 1 } = {}): Promise<Held> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const status = once(socket, 'data').then(([head]) => Number(String(head).split(' ')[1]))
  status.catch(() => {})
  await once(socket, 'connect')
  const body = json ? JSON.stringify(json) : ''
  const headers = [
    `${what} HTTP/1.1`,
    'host: x',
    ...(json ? ['content-type: application/json', 'prefer: wait=30', `content-length: ${body.length}`] : []),
  ]
  const text = `${headers.join('\r\n')}\r\n\r\n${body}`.repeat(times)
  socket.write(text.slice(0, send * text.length))
  return { socket, status }
}

const metricsOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text()

async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) * 1024
}
