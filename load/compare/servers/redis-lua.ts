/**
 * A script in Redis takes the copy and records the reservation atomically, and the request is answered at once. A writer copies
 * the records to Postgres later, in batches.
 * https://redis.io/docs/latest/develop/programmability/eval-intro/
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { serveReservations } from '../../bench/baseline/face.ts'
import { createTables } from '../../bench/baseline/tables.ts'
import { notes, stockKey } from './redis-keys.ts'

const lotMax = 1_000
const pauseMs = 100

const sql = postgres(process.env.DATABASE_URL!, { max: 1, onnotice: () => {} })
await createTables(sql)

/** After a broken connection, a pending command is not retried: it would take a second copy. */
const options = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => pauseMs,
}
const connect = () => new Redis(process.env.REDIS_URL!, options).on('error', () => {})
const [redis, reader] = [connect(), connect()]
redis.defineCommand('take', {
  numberOfKeys: 2,
  lua: `
    if tonumber(redis.call('get', KEYS[1]) or 0) < 1 then return 0 end
    redis.call('decr', KEYS[1])
    redis.call('rpush', KEYS[2], ARGV[1])
    return 1`,
})
type Taking = { take(stock: string, notes: string, note: string): Promise<0 | 1> }

let wake = () => {}
const somethingToWrite = () =>
  new Promise<void>((resolve) => {
    wake = resolve
    setTimeout(resolve, pauseMs)
  })

async function write(): Promise<void> {
  const lot = await reader.lrange(notes, 0, lotMax - 1)
  if (lot.length === 0) return await somethingToWrite()
  // After a failure, records that were already written are read again.
  await sql`
    with made as (
      insert into reservation (id, bookid, userid, status)
      select id, bookid, userid, 'Reserved'
      from json_to_recordset(${`[${lot.join(',')}]`}::text::json) as note (id uuid, bookid text, userid text)
      on conflict (id) do nothing returning bookid),
      sums as (select bookid, count(*) as copies from made group by bookid)
    update stock set qty = qty - copies from sums where stock.bookid = sums.bookid`
  await reader.ltrim(notes, lot.length, -1)
}

async function writer(): Promise<never> {
  for (;;)
    await write().catch((error) => {
      console.error(error)
      return sleep(pauseMs)
    })
}

void writer()
await serveReservations(async (id, bookid, userid) => {
  const taken = await (redis as unknown as Taking).take(
    stockKey(bookid),
    notes,
    JSON.stringify({ id, bookid, userid }),
  )
  wake()
  return taken === 1 ? 'Reserved' : 'Failed'
})
