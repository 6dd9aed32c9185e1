/**
 * The contract with the stores, on each version that is on this machine: a migration, services that log in as themselves, a
 * reservation from end to end, a worker that takes over from a killed one, a dead letter, and a Redis that has lost everything.
 * `npm run versions` first installs an older Postgres, a newer Redis and a Valkey.
 */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { type Passwords, serviceNames } from '../../platform/config.ts'
import { listLetters, redriveLetters } from '../../streams/dead-letter.ts'
import { closePostgres, openPostgres } from '../../streams/postgres.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { storeFolder } from '../../tests/doubles/store-folder.ts'
import { receive, reserveAndWait, stockOf } from '../../tests/harness/acts.ts'
import { withDatabase } from '../../tests/harness/database.ts'
import { Producer } from '../../tests/harness/producer.ts'
import { startOwnSystem } from '../../tests/harness/system.ts'
import { startPostgres } from '../local/servers/postgres.ts'
import { startRedis } from '../local/servers/redis.ts'
import { type Found, postgresServers, redisServers } from './servers.ts'

const embedded: Found = { name: 'the embedded Postgres', path: '' }
const [usual, ...otherRedis] = redisServers()
// All other tests run on the embedded Postgres with the first Redis.
const pairs: [string, string, Found, Found][] = [
  ...postgresServers().map((it) => [it, usual!] as const),
  ...otherRedis.map((it) => [embedded, it] as const),
].map(([postgres, redis]) => [postgres.name, redis.name, postgres, redis])

if (pairs.length === 0) test.skip('no other version of a store is on this machine')

const minutes = 60_000

test.for(pairs)(
  '%s with %s keeps the contract',
  { timeout: 3 * minutes },
  async ([, , postgres, redis], context) => {
    const dir = await storeFolder('versions')
    try {
      const bin = postgres.path ? { bin: postgres.path } : {}
      await using database = await startPostgres({ dataDir: join(dir, 'postgres'), fast: true, ...bin })
      await using streams = await startRedis({ dataDir: join(dir, 'redis'), command: redis.path })
      await keepContract(context, database.url, streams.url)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  },
)

async function keepContract(context: TestContext, postgresUrl: string, redisUrl: string): Promise<void> {
  const passwords = Object.fromEntries(
    serviceNames.map((it) => [it, randomBytes(15).toString('base64')]),
  ) as Passwords
  await using system = await startOwnSystem(context, {
    postgresUrl,
    redisUrl,
    passwords,
    stock: 2,
    partitions: 4,
  })
  const books = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const reserveAll = (userid: string) =>
    Promise.all(books.map((bookid) => reserveAndWait(system.reservation, bookid, userid)))

  // From end to end.
  for (const bookid of books) await receive(system, bookid, 3)
  for (const it of await reserveAll('first')) expect(it.status).toBe('Reserved')

  // A worker takes over. Requests go to the first process.
  await system.processes.stock[1]!.kill()
  for (const it of await reserveAll('second')) expect(it.status).toBe('Reserved')

  // A dead letter is redriven.
  const sql = openPostgres(withDatabase(postgresUrl, system.redisPrefix), { schema: 'stock', max: 1 })
  await using producer = new Producer(system)
  await producer.redis.xadd(producer.mailboxOf('a'), '*', 'no', 'message')
  const [letter] = await eventually(async () => {
    const letters = await listLetters(sql, 10)
    return letters.length > 0 && letters
  })
  expect(letter!.reason).toContain('without cloudevents')
  expect(await redriveLetters(sql, 'all')).toBe(1)
  await eventually(async () => (await listLetters(sql, 10)).every((it) => !it.redrive && it.at > letter!.at))
  await closePostgres(sql)

  // Redis loses everything.
  await producer.redis.flushall()
  for (const it of await reserveAll('third')) expect(it.status).toBe('Reserved')
  expect(await stockOf(system, 'a')).toMatchObject({ qty: 0, held: 3 })
}
