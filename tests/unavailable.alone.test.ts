/**
 * In every fault of Postgres, every call gets a prompt 503 with `Retry-After`, and works again after the
 * recovery.
 */
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serviceNames } from '../platform/config.ts'
import { eventually } from './doubles/eventually.ts'
import { OwnServer } from './doubles/own-server.ts'
import { decided, receive, reserveUntilAccepted } from './harness/acts.ts'
import type { Client } from './harness/client.ts'
import { type System, startSystem } from './harness/system.ts'

/** A response takes at most 2 s; the rest is for a machine that is busy with other tests. */
const promptMs = 3_000
const alertToken = 'a-token-of-sufficient-length'
const password = 'as-itself'

let server: OwnServer
let admin: postgres.Sql
let system: System
/** The system's database, quoted for SQL. */
let database: string

beforeAll(async () => {
  server = await OwnServer.postgres()
  admin = postgres(server.url, { max: 2, onnotice: () => {}, backoff: () => 0.05 })
  system = await startSystem({
    postgresUrl: server.url,
    started: false,
    // With a limit, standings are kept.
    env: { ALERT_TOKEN: alertToken, ACTIVE_MAX: '1000' },
    // As the service itself, because an administrator is never refused.
    envOf: (service, _index, env) => {
      const url = new URL(env.DATABASE_URL!)
      url.username = service
      url.password = password
      return { DATABASE_URL: url.href }
    },
  })
  const [row] = await system.sql<{ name: string }[]>`select current_database() as name`
  database = `"${row!.name}"`
  await roles(`login password '${password}'`)
  await system.start()
  await receive(system, 'book', 100)
}, 60_000)
afterAll(async () => {
  const faults = await system?.stop()
  await admin?.end({ timeout: 1 })
  await server?.[Symbol.asyncDispose]()
  if (faults.length) console.error(system.tail())
  expect(faults).toEqual([])
})

async function roles(change: string): Promise<void> {
  for (const service of serviceNames) await admin.unsafe(`alter role ${service} ${change}`)
}

/** Closes the services' connections, because the change affects only new ones. */
const reconnect = () => admin`
  select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bookreservation-%'`

async function closeDatabase(): Promise<void> {
  await admin.unsafe(`alter database ${database} with allow_connections false`)
  await eventually(async () => {
    const ended = await admin`
      select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database.slice(1, -1)}`
    return ended.length === 0
  })
}
const openDatabase = () => admin.unsafe(`alter database ${database} with allow_connections true`)

/** Every table that a call uses. */
async function lockTables(): Promise<postgres.ReservedSql> {
  const lock = await system.sql.reserve()
  await lock`begin`
  const tables = await lock<{ name: string }[]>`
    select schemaname || '.' || tablename as name from pg_tables
    where schemaname = any(${serviceNames}::text[]) and tablename not in ('worker', 'mailbox', 'migration')`
  await lock.unsafe(`lock table ${tables.map((it) => it.name).join(', ')} in access exclusive mode`)
  return lock
}

async function unlock(lock: postgres.ReservedSql): Promise<void> {
  await lock`rollback`
  lock.release()
}

/** Signals every backend of the services. */
async function signalBackends(pids: number[], signal: NodeJS.Signals): Promise<void> {
  for (const pid of pids) process.kill(pid, signal)
}

type Fault = {
  name: string
  /** Reads may still work. */
  readable?: true
  /** @returns a function that heals it. */
  hurt(): Promise<() => Promise<unknown>>
}

const faults: Fault[] = [
  {
    // Like a standby, a server in recovery, or one made read-only because its disk is full.
    name: 'is read-only',
    readable: true,
    async hurt() {
      await admin.unsafe(`alter database ${database} set default_transaction_read_only = on`)
      await reconnect()
      return async () => {
        await admin.unsafe(`alter database ${database} reset default_transaction_read_only`)
        await reconnect()
      }
    },
  },
  {
    name: 'has no connection left for the roles',
    async hurt() {
      await roles('connection limit 0')
      await reconnect()
      return () => roles('connection limit -1')
    },
  },
  {
    name: 'refuses the login',
    async hurt() {
      await roles('nologin')
      await reconnect()
      return () => roles('login')
    },
  },
  {
    name: 'expects another password',
    async hurt() {
      await roles("password 'another'")
      await reconnect()
      return () => roles(`password '${password}'`)
    },
  },
  {
    name: 'accepts no connections to the database',
    async hurt() {
      await closeDatabase()
      return openDatabase
    },
  },
  {
    name: 'has no such database, while it is being restored',
    async hurt() {
      await closeDatabase()
      await admin.unsafe(`alter database ${database} rename to elsewhere`)
      return async () => {
        await admin.unsafe(`alter database elsewhere rename to ${database}`)
        await openDatabase()
      }
    },
  },
  {
    name: 'waits for locks longer than statements may take',
    async hurt() {
      const lock = await lockTables()
      return () => unlock(lock)
    },
  },
  {
    name: 'has its statements canceled',
    async hurt() {
      const lock = await lockTables()
      const cancelling = setInterval(
        () =>
          void admin`select pg_cancel_backend(pid) from pg_stat_activity
            where application_name like 'bookreservation-%' and wait_event_type = 'Lock'`.catch(() => {}),
        100,
      )
      return async () => {
        clearInterval(cancelling)
        await unlock(lock)
      }
    },
  },
  {
    name: 'stands still',
    async hurt() {
      const backends = await admin<{ pid: number }[]>`
        select pid from pg_stat_activity where application_name like 'bookreservation-%'`
      const pids = backends.map((it) => it.pid)
      server.signal('SIGSTOP')
      await signalBackends(pids, 'SIGSTOP')
      return async () => {
        await signalBackends(pids, 'SIGCONT')
        server.signal('SIGCONT')
      }
    },
  },
  {
    name: 'is stopped',
    async hurt() {
      await server.stop()
      return () => server.start()
    },
  },
]

type Call = { json?: unknown; headers?: Record<string, string> }

/** A call for each operation; every operation of the documents must be here. */
function callOf(operation: string): Call {
  const contact = { email: 'ann@example.com', locale: 'en' }
  const alert = {
    status: 'firing',
    startsAt: '2026-01-02T03:04:05Z',
    endsAt: '0001-01-01T00:00:00Z',
    fingerprint: crypto.randomUUID(),
  }
  const key = { 'idempotency-key': crypto.randomUUID() }
  const calls: Record<string, Call> = {
    'POST /reservations': { json: { bookid: 'book', userid: 'ann' }, headers: key },
    'PATCH /reservations/{reservationid}': { json: { status: 'Canceled' } },
    'POST /stocks': { json: { bookid: 'book', qty: 1 }, headers: key },
    'POST /purchases': { json: { bookid: 'book', qty: 1 }, headers: key },
    'POST /purchase-requests/{bookid}/decline': { json: {}, headers: key },
    'POST /withdrawals': { json: { bookid: 'book', qty: 1, reason: 'Lost' }, headers: key },
    'PUT /stocks/{bookid}/rules': { json: {} },
    'PATCH /holds/{reservationid}': { json: { status: 'Ready' } },
    'PUT /closing-days/{date}': { json: {} },
    'DELETE /closing-days/{date}': {},
    'PUT /standings/{userid}/block': { json: { reason: 'overdue', until: null } },
    'DELETE /standings/{userid}/block': {},
    'DELETE /standings/{userid}': {},
    'POST /dead-letters/redrive': { json: { all: true } },
    'POST /dead-letters/{letterid}/redrive': {},
    'DELETE /dead-letters/{letterid}': {},
    'PUT /customers/{userid}': { json: contact },
    'DELETE /customers/{userid}': {},
    'PATCH /notices/{noticeid}': { json: { status: 'Suppressed' } },
    'POST /alerts': {
      json: { version: '4', groupKey: 'g', status: 'firing', alerts: [alert] },
      headers: { authorization: `Bearer ${alertToken}` },
    },
  }
  const [method] = operation.split(' ')
  const call = calls[operation] ?? (method === 'GET' ? {} : undefined)
  if (!call) throw new Error(`${operation} is new: add a call for it here`)
  return call
}

/** Calls every operation of every service at once. */
async function callAll(reservationid: string) {
  const ids: Record<string, string> = {
    bookid: 'book',
    userid: 'ann',
    reservationid,
    date: '2030-01-01',
    letterid: '0-1-0',
  }
  const operations = serviceNames.flatMap((service) =>
    Object.entries(system[service].contract.document.paths).flatMap(([template, item]) =>
      Object.keys(item).map((method) => ({ service, template, method: method.toUpperCase() })),
    ),
  )
  const concerned = operations.filter(({ template }) => !/^\/(livez|readyz|startupz|previews)/.test(template))
  return await Promise.all(
    concerned.map(async ({ service, template, method }) => {
      const operation = `${method} ${template}`
      const path = template.replaceAll(/\{(\w+)\}/g, (_, name) => ids[name] ?? crypto.randomUUID())
      // An event stream has no end.
      if (path.endsWith('/events'))
        return { operation, ...(await timed(system[service], `${path}?userid=${ids.userid}`)) }
      // The client refuses a 503 without Retry-After.
      const query = { '/tasks': '?kind=pull', '/audit': '?reason=review' }[template] ?? ''
      const { status, tookMs } = await system[service].ask(method, path + query, callOf(operation))
      return { operation, status, late: tookMs > promptMs }
    }),
  )
}

async function timed(client: Client, path: string) {
  const startedAt = performance.now()
  const response = await client.fetch('GET', path)
  await response.body?.cancel()
  return { status: response.status, late: performance.now() - startedAt > promptMs }
}

test.each(faults)(
  'while Postgres $name, every call is a prompt 503; afterwards all work again',
  {
    timeout: 60_000,
  },
  async ({ readable, hurt }) => {
    const client = system.reservation
    const { reservationid } = await reserveUntilAccepted(client, 'book', 'ann', crypto.randomUUID())
    await decided(system.reservation, reservationid, 20_000)
    const heal = await hurt()
    try {
      const answers = await callAll(reservationid)
      const reads = (operation: string) => readable && operation.startsWith('GET ')
      const wrong = answers.filter(
        ({ operation, status, late }) => late || (status !== 503 && !(reads(operation) && status < 500)),
      )
      // PATCH needs a read to find the resource, and an erasure one to find that a reservation is active.
      const isRead = ({ operation, status }: (typeof wrong)[number]) =>
        (operation.startsWith('PATCH ') && status === 404) ||
        (operation === 'DELETE /standings/{userid}' && status === 409)
      expect(wrong.filter((it) => !(readable && isRead(it)))).toEqual([])
    } finally {
      await heal()
    }
    const key = crypto.randomUUID()
    const insisted = await reserveUntilAccepted(system.reservation, 'book', 'insisting', key)
    await decided(system.reservation, insisted.reservationid, 30_000)
  },
)
