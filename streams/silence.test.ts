import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import postgres from 'postgres'
import { expect, inject, test } from 'vitest'
import { makeCertificate } from '../tests/doubles/certificate.ts'
import { eventually } from '../tests/doubles/eventually.ts'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { closePostgres, isTransient, openPostgres } from './postgres.ts'
import { watchedSockets } from './silence.ts'
import { range } from './testing/runtime.ts'

/** A connection is replaced within this, by default. */
const replacedMs = 15_000
const open = (url: string, max = 3) => openPostgres(url, { schema: 'pg_monitor', max })
/** Shorter than by default: a connection may be silent for 9 ticks or 3.6 s, a session without a client for 12 s. */
const sooner = { statementTimeoutMs: 2_000, tickMs: 400 }
const replacedSoonMs = 6_000
const openSooner = (url: string, max = 3) => openPostgres(url, { schema: 'pg_monitor', max, ...sooner })
const since = (began: number) => performance.now() - began
const pidsOf = async (sql: postgres.Sql, count: number) =>
  new Set(
    (await Promise.all(range(count).map(() => sql`select pg_backend_pid() as pid, pg_sleep(0.05)`))).map(
      ([row]) => row!.pid as number,
    ),
  )

// The longest come first, because few run at a time.
test.concurrent('Postgres ends a session whose client died silently', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const server = postgres(inject('postgresUrl'), { max: 1 })
  const sql = openSooner(wire.url, 1)
  const [pid] = await pidsOf(sql, 1)
  wire.abandon()
  const alive = () => server`select from pg_stat_activity where pid = ${pid!}`
  expect(await alive()).toHaveLength(1)
  await eventually(async () => (await alive()).length === 0, { timeoutMs: 20_000 })
  await Promise.all([closePostgres(sql), server.end()])
})

test.concurrent('Z2: statements on connections that died silently fail in time, with an unknown outcome', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = open(wire.url)
  await pidsOf(sql, 3)
  wire.abandon()
  const began = performance.now()
  // More than connections, so that some wait behind others.
  const errors = await Promise.all(range(8).map(() => sql`select 1`.catch((error) => error)))
  expect(since(began)).toBeLessThan(replacedMs)
  expect(errors.filter((it) => !isTransient(it)).map(String)).toEqual([])
  await eventually(async () => (await pidsOf(sql, 3)).size === 3, { timeoutMs: 3_000 })
  await closePostgres(sql)
})

test.concurrent('Z1: a slow statement is awaited, and working connections are kept', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = openSooner(wire.url)
  const before = await pidsOf(sql, 3)
  await sleep(1_560)
  const slow = range(3).map(() => sql`select pg_sleep(1.8)`)
  await Promise.all(slow)
  await sleep(4_800)
  expect(await pidsOf(sql, 3)).toEqual(before)
  await closePostgres(sql)
})

test.concurrent('Z1: an idle connection that died silently is replaced before it is needed', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = openSooner(wire.url)
  const before = await pidsOf(sql, 3)
  wire.abandon()
  await sleep(replacedSoonMs)
  const began = performance.now()
  const after = await pidsOf(sql, 3)
  expect(since(began)).toBeLessThan(1_000)
  expect([...after].filter((pid) => before.has(pid))).toEqual([])
  await closePostgres(sql)
})

test.concurrent('Z4: a TLS connection is replaced too', async () => {
  const front = await tlsFront(new URL(inject('postgresUrl')))
  await using wire = await TcpProxy.start(front.url)
  const sql = openSooner(`${wire.url}?sslmode=require`)
  const before = await pidsOf(sql, 3)
  const slow = sql`select pg_sleep(1.8)`.then()
  await slow
  wire.abandon()
  const began = performance.now()
  expect(isTransient(await sql`select 1`.catch((error) => error))).toBe(true)
  // Other connections of the pool may be being destroyed.
  const after = () => pidsOf(sql, 3).catch(() => before)
  const kept = async () => [...(await after())].filter((pid) => before.has(pid))
  await eventually(async () => (await kept()).length === 0, { timeoutMs: 3_000 })
  expect(since(began)).toBeLessThan(replacedSoonMs)
  await closePostgres(sql)
  front.server.close()
})

test.concurrent('Z2: a statement that is half answered when its connection dies fails in time', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = openSooner(wire.url, 1)
  await sql`select 1`
  const began = performance.now()
  const first = sql`select 1 as one`.then()
  const second = sql`select pg_sleep(1)`.catch((error) => error)
  expect(await first).toEqual([{ one: 1 }])
  wire.abandon()
  expect(isTransient(await second)).toBe(true)
  expect(since(began)).toBeLessThan(replacedSoonMs)
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})

test.concurrent('Z2: a connection that is silent during setup fails its statement, and the next one works', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = open(wire.url, 1)
  wire.silence()
  const began = performance.now()
  expect(isTransient(await sql`select 1`.catch((error) => error))).toBe(true)
  expect(since(began)).toBeLessThan(replacedMs)
  wire.abandon()
  wire.restore()
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
  await closePostgres(sql)
})

test.concurrent('Z2: a pool ends although its connections died silently', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const sql = openSooner(wire.url)
  await pidsOf(sql, 3)
  const hung = sql`select 1`.catch((error) => error)
  wire.abandon()
  const began = performance.now()
  await closePostgres(sql)
  expect(isTransient(await hung)).toBe(true)
  expect(since(began)).toBeLessThan(replacedSoonMs)
})

test.concurrent('Z3: a socket that was ended closes, although the other end is silent', async () => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  const { hostname, port } = new URL(wire.url)
  const open = watchedSockets({ ...sooner, statementTimeoutMs: 60_000, ask: async () => {} })
  const socket = open({ host: [hostname], port: [Number(port)] })
  await once(socket, 'connect')
  wire.abandon()
  const began = performance.now()
  socket.end()
  await once(socket, 'close')
  expect(since(began)).toBeLessThan(replacedSoonMs)
})

/** Accepts TLS, and forwards to Postgres without it. */
async function tlsFront(target: URL): Promise<{ server: Server; url: string }> {
  const { key, cert } = await makeCertificate()
  const server = createServer(async (client) => {
    client.on('error', () => {})
    await once(client, 'data')
    client.write('S')
    const secure = new TLSSocket(client, { isServer: true, key, cert })
    const upstream = connect(Number(target.port), target.hostname)
    secure.on('error', () => {}).pipe(upstream)
    upstream.on('error', () => {}).pipe(secure)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  return { server, url: url.href }
}
