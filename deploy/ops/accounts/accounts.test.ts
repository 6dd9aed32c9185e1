/** The rights of each service in the stores when it logs in as itself: enough for its work, and no more. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Passwords, type ServiceName, serviceNames } from '../../../platform/config.ts'
import { openEndedStore } from '../../../platform/identity/ended-store.ts'
import { eventually, range } from '../../../tests/doubles/eventually.ts'
import { asHttpie } from '../../../tests/doubles/httpie.ts'
import { OwnServer } from '../../../tests/doubles/own-server.ts'
import { copyEmptyPostgres, storeFolder } from '../../../tests/doubles/store-folder.ts'
import { receive, reserve } from '../../../tests/harness/acts.ts'
import { withDatabase } from '../../../tests/harness/database.ts'
import {
  canceledNotice,
  makeOriginalCalls,
  noticesShown,
  reservedNotice,
} from '../../../tests/harness/original-calls.ts'
import { type System, startSystem } from '../../../tests/harness/system.ts'
import { startPostgres } from '../../local/servers/postgres.ts'
import type { Server } from '../../local/servers/server.ts'
import { compileCache } from '../../local/service.ts'
import { rulesOf } from './redis-users.ts'

const freshPasswords = () =>
  Object.fromEntries(serviceNames.map((it) => [it, randomBytes(15).toString('base64')])) as Passwords

// Roles and users belong to the whole server, so this file has its own servers.
let dir: string
let server: Server
let redisServer: OwnServer
let redis: Redis
let system: System
const postgresLog: string[] = []
const passwords = freshPasswords()
/** The minimal rights of an administrator who is not a superuser, as on managed servers. */
let adminUrl: string

beforeAll(async () => {
  dir = await storeFolder('accounts')
  await copyEmptyPostgres(join(dir, 'postgres'))
  ;[server, redisServer] = await Promise.all([
    startPostgres({ dataDir: join(dir, 'postgres'), fast: true, onLine: (line) => postgresLog.push(line) }),
    OwnServer.redis(),
  ])
  const root = postgres(server.url, { max: 1 })
  const password = randomBytes(12).toString('hex')
  await root.unsafe(`create role admin login createdb createrole password '${password}'`)
  await root.unsafe(`create role stranger login password '${password}'`)
  await root.unsafe(`create role backup login password '${password}' in role pg_read_all_data`)
  await root.unsafe(`alter system set log_statement = 'all'`)
  await root`select pg_reload_conf()`
  await root.end()
  const url = new URL(server.url)
  url.username = 'admin'
  url.password = password
  adminUrl = url.href
  redis = new Redis(redisServer.url)
  system = await startSystem({ postgresUrl: adminUrl, redisUrl: redisServer.url, passwords })
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(system?.tail())
})
afterAll(async () => {
  const faults = await system?.stop()
  redis?.disconnect()
  await Promise.all([server?.stop(), redisServer?.[Symbol.asyncDispose]()])
  await rm(dir, { recursive: true, force: true })
  expect(faults, 'processes that did not stop cleanly').toEqual([])
})

/** Commands that Redis has refused, from its log. */
async function refusals(): Promise<string[]> {
  const noted = (await redis.call('ACL', 'LOG')) as unknown[][]
  return noted.map((it) => it.join(' '))
}

const key = (partition: number, of: 'mailbox' | 'events') =>
  `{${system.redisPrefix}:stock-${partition}}:${of}`

test("each service works as its own role and user: the predecessor's calls pass", async () => {
  await makeOriginalCalls(system, asHttpie)
  expect(await noticesShown(system, reservedNotice, 'test1')).toBe(1)
  expect(await noticesShown(system, canceledNotice, 'test1')).toBe(1)

  const sessions = await system.sql<{ app: string; role: string }[]>`
    select distinct application_name as app, usename as role from pg_stat_activity
    where application_name like 'bookreservation-%' order by 1`
  expect([...sessions]).toEqual(
    ['notifier', 'reservation', 'stock'].map((role) => ({ app: `bookreservation-${role}`, role })),
  )
  const clients = String(await redis.client('LIST')).matchAll(/ user=(\S+)/g)
  const users = new Set([...clients].map(([, user]) => user))
  expect([...users].sort()).toEqual(['default', 'notifier', 'reservation', 'stock'])
  expect(await refusals()).toEqual([])
})

test('no service can take all connections of the server', async () => {
  const [{ max }] = await system.sql<[{ max: number }]>`select current_setting('max_connections')::int as max`
  const limits = await system.sql<{ it: number }[]>`
    select rolconnlimit as it from pg_roles where rolname = any(${[...serviceNames]}::text[])`
  expect(limits.map(({ it }) => it)).toEqual([max / 2, max / 2, max / 2])
})

test('no other role of the server can connect to the database, except for backups and monitoring', async () => {
  const url = new URL(withDatabase(adminUrl, system.redisPrefix))
  const outcomeFor = async (username: string) => {
    const sql = postgres(url.href, { max: 1, username })
    try {
      return (await sql<{ it: string }[]>`select current_user as it`)[0]!.it
    } catch (error) {
      return (error as { code: string }).code
    } finally {
      await sql.end()
    }
  }
  // 42501 is insufficient_privilege.
  expect(await Promise.all(['stranger', 'backup', 'admin'].map(outcomeFor))).toEqual([
    '42501',
    'backup',
    'admin',
  ])
})

test('the rights suffice for mending: streams that are lost, or of another type, are created again', async () => {
  const lost = await received('after-a-loss')
  await redis.flushall()
  await reserved(lost)
  const messy = await received('after-a-mess')
  for (const partition of range(system.partitions)) {
    await redis.set(key(partition, 'events'), 'not a stream')
    await redis.set(key(partition, 'mailbox'), 'not a stream')
  }
  await reserved(messy)
  expect(await refusals()).toEqual([])
})

/** Books of every partition. */
async function received(name: string): Promise<string[]> {
  const books = range(20).map((index) => `${name}-${index}`)
  await Promise.all(books.map((bookid) => receive(system, bookid, 1)))
  return books
}

/** Resolves when a reservation of each book has its copy. */
async function reserved(books: string[]): Promise<void> {
  const accepted = await Promise.all(books.map((bookid) => reserve(system.reservation, bookid, 'reader')))
  const ids = accepted.map((it) => it.reservationid)
  const held = async () => {
    const rows = await system.sql`
      select from reservation.reservation where reservationid = any(${ids}::uuid[]) and status = 'Reserved'`
    return rows.count === ids.length
  }
  await eventually(held, { message: 'Some reservations are undecided' })
}

const others = serviceNames.flatMap((service) =>
  serviceNames.filter((other) => other !== service).map((other) => [service, other] as const),
)

test.for(others)('the role %s can read and write nothing of %s', async ([service, other]) => {
  const url = new URL(withDatabase(server.url, system.redisPrefix))
  url.username = service
  url.password = encodeURIComponent(passwords[service])
  const sql = postgres(url.href, { max: 1, onnotice: () => {} })
  const tables = await system.sql<{ name: string; column: string }[]>`
    select c.relname as name, (select attname from pg_attribute where attrelid = c.oid and attnum = 1) as column
    from pg_class c where relnamespace = ${other}::regnamespace and relkind = 'r'`
  expect(tables.length).toBeGreaterThan(4)
  const attempts = [
    ...tables.flatMap(({ name, column }) => [
      `select from ${other}.${name}`,
      `insert into ${other}.${name} default values`,
      `update ${other}.${name} set ${column} = ${column}`,
      `delete from ${other}.${name}`,
      `truncate ${other}.${name}`,
      `drop table ${other}.${name}`,
    ]),
    `create table ${other}.intruder (it int)`,
    `drop schema ${other} cascade`,
    `set role ${other}`,
    `set session authorization ${other}`,
    `grant ${other} to ${service}`,
    `alter role ${other} password 'mine'`,
    `alter role ${service} createrole`,
    'create role intruder',
    'create database intruder',
    'create table public.intruder (it int)',
    'create temporary table intruder (it int)',
    `select pg_read_file('/etc/passwd')`,
    `copy (select 1) to program 'true'`,
    'select from pg_authid',
  ]
  try {
    expect((await sql.unsafe(`select from ${service}.mailbox`)).count).toBe(system.partitions)
    const outcomes: string[] = []
    for (const attempt of attempts) {
      const outcome = await sql.unsafe(attempt).then(
        () => 'done',
        (error) => error.code as string,
      )
      // 42501 is insufficient_privilege. Services may see whether another's database was restored.
      if (outcome !== (attempt === `select from ${other}.incarnation` ? 'done' : '42501'))
        outcomes.push(`${attempt}: ${outcome}`)
    }
    expect(outcomes).toEqual([])
  } finally {
    await sql.end()
  }
})

/** In the syntax of `redis-cli`; `MAILBOX` and `EVENTS` are placeholders for keys, `PREFIX` for that of channels. */
const attempts: Record<ServiceName | 'any', string[]> = {
  any: [
    'get secret',
    'set secret x',
    'xadd {other:stock-0}:mailbox * cloudevents []',
    'xadd {PREFIX:notifier-0}:mailbox * cloudevents []',
    'xgroup destroy EVENTS reservation',
    'xgroup destroy EVENTS notifier',
    'del EVENTS',
    'rename EVENTS other',
    'copy EVENTS other',
    'dump EVENTS',
    'set EVENTS x',
    'expire EVENTS 1',
    'eval return(redis.call("get","secret")) 0',
    'eval return(redis.call("get",KEYS[1])) 1 secret',
    'eval return(redis.call("flushall")) 0',
    'script flush',
    'function flush',
    'keys *',
    'scan 0',
    'flushall',
    'flushdb',
    'config get *',
    'config set maxmemory 1',
    'acl list',
    'acl setuser stock nopass',
    'client list',
    'client kill user stock',
    'monitor',
    'shutdown nosave',
    'replicaof no one',
    'psubscribe *',
    'subscribe other',
    'publish other x',
  ],
  stock: ['publish PREFIX:reservation:changed x', 'subscribe PREFIX:reservation:changed', 'get EVENTS'],
  reservation: [
    'publish PREFIX:stock:handled x',
    'subscribe PREFIX:stock:handled',
    'xadd EVENTS * cloudevents []',
    'xtrim EVENTS MAXLEN 0',
    'xsetid EVENTS 1-0',
    'xread STREAMS MAILBOX 0',
    'xreadgroup GROUP stock me STREAMS MAILBOX >',
    'xgroup setid MAILBOX stock $',
    'xgroup create MAILBOX mine $',
    'xack MAILBOX stock 1-0',
    'xtrim MAILBOX MAXLEN 0',
    'xdel MAILBOX 1-0',
    'set MAILBOX:batches x',
    'unlink MAILBOX:batches',
    'unlink MAILBOX',
    'eval return(redis.call("unlink",KEYS[1])) 1 MAILBOX',
  ],
  notifier: [
    'publish PREFIX:stock:handled x',
    'publish PREFIX:reservation:changed x',
    'subscribe PREFIX:stock:handled',
    'subscribe PREFIX:reservation:changed',
    'xadd EVENTS * cloudevents []',
    'xtrim EVENTS MAXLEN 0',
    'xsetid EVENTS 1-0',
    'xadd MAILBOX * cloudevents []',
    'xread STREAMS MAILBOX 0',
    'xrange MAILBOX - +',
    'xinfo groups MAILBOX',
    'xlen MAILBOX',
    'exists MAILBOX:batches',
    'unlink MAILBOX',
    'eval return(1) 1 MAILBOX',
  ],
}

test.for(serviceNames)('the Redis user %s can only do its work', async (service) => {
  const url = new URL(redisServer.url)
  url.username = service
  url.password = encodeURIComponent(passwords[service])
  const client = new Redis(url.href)
  try {
    expect(await client.xinfo('GROUPS', key(0, 'events'))).not.toEqual([])
    const outcomes: string[] = []
    for (const attempt of [...attempts.any, ...attempts[service]]) {
      const words = attempt
        .replace('MAILBOX', key(0, 'mailbox'))
        .replace('EVENTS', key(0, 'events'))
        .replace('PREFIX', system.redisPrefix)
        .split(' ')
      const outcome = await client.call(words[0]!, ...words.slice(1)).then(
        (reply) => `done: ${reply}`,
        (error: Error) => error.message,
      )
      if (!/^NOPERM|^ERR The user executing the script can't/.test(outcome))
        outcomes.push(`${attempt}: ${outcome}`)
    }
    expect(outcomes).toEqual([])
  } finally {
    client.disconnect()
  }
  await redis.call('ACL', 'LOG', 'RESET')
})

test('every command that the code sends to Redis is allowed to a user', async () => {
  const allowed = new Set(
    serviceNames.flatMap((service) =>
      rulesOf(service, 'br').flatMap((rule) => [...rule.matchAll(/\+(\w+)/g)].map(([, it]) => it!)),
    ),
  )
  const used = new Set<string>()
  for (const path of ['streams', 'actors/reservation', 'actors/stock', 'actors/notifier'])
    for (const file of await readdir(path))
      if (file.endsWith('.ts') && !file.includes('test'))
        for (const name of commandsIn(await readFile(join(path, file), 'utf8'))) used.add(name)
  expect(used).toContain('xrange')
  expect(used).toContain('xsetid')
  expect([...used].filter((it) => !allowed.has(it))).toEqual([])
})

const commandsIn = (source: string) =>
  [
    ...source.matchAll(/redis\.p?call\('([A-Z]+)'/g),
    ...source.matchAll(/(?:redis|client|subscriber)\.(x\w+|unlink|publish|subscribe)\(/g),
  ].map(([, name]) => name!.toLowerCase())

test('migrating with other passwords changes them, interrupts no session, and logs none of them', async () => {
  const next = freshPasswords()
  const env = Object.fromEntries(
    serviceNames.flatMap((service) =>
      ['DATABASE', 'REDIS'].map((store) => [`${service.toUpperCase()}_${store}_PASSWORD`, next[service]]),
    ),
  )
  const ofPages = randomBytes(15).toString('base64')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['deploy/ops/migrate.ts'], {
    env: {
      ...compileCache,
      ...env,
      WEB_DATABASE_PASSWORD: ofPages,
      DATABASE_URL: withDatabase(adminUrl, system.redisPrefix),
      REDIS_URL: redisServer.url,
      REDIS_PREFIX: system.redisPrefix,
      PARTITIONS: String(system.partitions),
    },
  })
  expect(stdout).toContain('up to date')
  expect(stdout).toContain('Redis has no aclfile')

  for (const service of serviceNames) {
    expect(await logsIn(service, passwords)).toEqual({ postgres: '28P01', redis: 'WRONGPASS' })
    expect(await logsIn(service, next)).toEqual({ postgres: service, redis: service })
  }
  await reserved(await received('after-a-change'))
  await expectOwnTableAlone(ofPages)

  // The log contains every statement, including those that set the passwords.
  expect(postgresLog.filter((it) => it.includes('alter role stock login'))).toHaveLength(2)
  const logged = [stdout, stderr, ...postgresLog, ...system.all.map((it) => it.tail(1_000))].join('\n')
  for (const password of [...Object.values(passwords), ...Object.values(next), ofPages])
    expect(logged).not.toContain(password)
})

/** The pages log in as `web`, and see which sessions have ended, and no table of a service. */
async function expectOwnTableAlone(password: string): Promise<void> {
  const store = openEndedStore(
    withDatabase(server.url, system.redisPrefix).replace(
      /:\/\/.*@/,
      `://web:${encodeURIComponent(password)}@`,
    ),
  )
  const sql = postgres(withDatabase(server.url, system.redisPrefix), { max: 1, username: 'web', password })
  try {
    await store.end('a-key', 1_800_000_000)
    expect(await store.ended(['a-key', 'another'])).toEqual(new Map([['a-key', 1_800_000_000]]))
    for (const service of serviceNames)
      await expect(sql`select from ${sql(service)}.mailbox`).rejects.toMatchObject({ code: '42501' })
  } finally {
    await Promise.all([store.close(), sql.end({ timeout: 1 })])
  }
}

/** The users that the stores report after logging in, or the errors. */
async function logsIn(service: ServiceName, passwords: Passwords) {
  const sql = postgres(withDatabase(server.url, system.redisPrefix), {
    max: 1,
    username: service,
    password: passwords[service],
  })
  const client = new Redis(redisServer.url, { lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    return {
      postgres: await sql`select current_user as it`.then(
        ([row]) => row!.it,
        (error) => error.code,
      ),
      redis: await client
        .auth(service, passwords[service])
        .then(() => service)
        .catch((error: Error) => error.message.split(' ')[0]),
    }
  } finally {
    client.disconnect()
    await sql.end({ timeout: 1 })
  }
}
