/**
 * Redis is killed while customers reserve, and comes back with what it finds on disk. Was all kept that customers were
 * told? Postgres goes on running all the time.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { type RedisServer, startRedis } from '../../deploy/local/redis.ts'
import { demandOf } from '../bench/books.ts'
import { runClosedLoop } from '../bench/closed-loop.ts'
import type { Answer } from '../bench/http-connection.ts'
import { progress } from '../bench/progress.ts'
import { count } from '../bench/report.ts'
import { settle } from '../bench/rounds.ts'
import type { Surroundings, Target } from '../bench/target.ts'
import { requestsOf, type Workload, wantedOf } from '../bench/workloads.ts'
import { contenders } from './contenders.ts'
import { LogSize } from './log-size.ts'

/** Ours, and the one that trusts Redis with decisions. */
export const killable = ['ours-node', 'redis-lua'] as const
export type Killable = (typeof killable)[number]

/**
 * What dies: Redis alone, and the kernel keeps what it wrote; or its machine too, and with it the last second of its file,
 * which is flushed once a second.
 */
export const deaths = ['process', 'machine'] as const
export type Death = (typeof deaths)[number]

/** What one kill did. */
export type Kill = {
  death: Death
  /** Answers that said `Reserved`. */
  told: number
  /** Of those told, not in Postgres when Redis was dead: lost when its file is lost with it. */
  onlyInRedis: number
  /** Of those told, in no store when all had come to rest again. */
  lost: number
  /** Copies that were promised, and are counted as free when all has come to rest. */
  soldAgain: number
}

/** Where a reservation that counts is kept, and the name of its id there and in answers. */
const recorded: Record<Killable, { table: string; id: string }> = {
  'ours-node': { table: 'reservation.reservation', id: 'reservationid' },
  'redis-lua': { table: 'reservation', id: 'id' },
}

const clients = 64
const beforeMs = 2_000
/** Each kill at another moment of Redis's second. */
const stepMs = 370
const restMaxMs = 60_000
/** How often Redis makes its file durable. */
const flushMs = 1_000

export type KillOptions = { kills: number; around: Surroundings; signal: AbortSignal }

/** @returns what each kill did to the contender: so many of each kind, in turn. */
export async function killRedis(name: Killable, { kills, around, signal }: KillOptions): Promise<Kill[]> {
  const dataDir = join(around.logDir, `redis-${name}`)
  await mkdir(dataDir, { recursive: true })
  let redis = await startRedis({ dataDir })
  const target = await contenders[name]
    .start({ ...around, redisUrl: redis.url }, name)
    .catch(async (error) => {
      await redis.stop()
      throw error
    })
  const url = new URL(around.databaseUrl)
  url.pathname = `/${name}`
  const sql = postgres(url.href, { max: 1, onnotice: () => {} })
  try {
    const { books } = demandOf('hot', 1)
    await target.stock(books)
    const found: Kill[] = []
    const all = Array.from({ length: kills }, () => deaths).flat()
    for (const [number, death] of all.entries()) {
      if (signal.aborted) break
      progress(`${name}: kill ${number + 1} of ${all.length}`)
      const { held } = await atRest(target, books)
      using log = new LogSize(dataDir)
      const afterMs = beforeMs + Math.floor(number / deaths.length) * stepMs
      const told = await reserveUntil(target, recorded[name].id, afterMs, () => kill(redis))
      if (death === 'machine') await log.cutTo(told.killedAt - flushMs)
      const before = await countRecorded(sql, name, told.ids)
      redis = await startRedis({ dataDir, port: redis.port })
      const { held: heldAfter } = await atRest(target, books)
      const after = await countRecorded(sql, name, told.ids)
      found.push({
        death,
        told: told.ids.length,
        onlyInRedis: told.ids.length - before,
        lost: told.ids.length - after,
        soldAgain: Math.max(0, told.ids.length - (heldAfter - held)),
      })
    }
    return found
  } finally {
    await sql.end({ timeout: 2 })
    await target.stop()
    await redis.stop()
  }
}

async function kill(redis: RedisServer): Promise<void> {
  redis.kill('SIGKILL')
  await redis.exited
}

/** Customers come until the kill is done. @returns the reservations that they were told of. */
async function reserveUntil(
  target: Target,
  idName: string,
  afterMs: number,
  kill: () => Promise<void>,
): Promise<{ ids: string[]; killedAt: number }> {
  const workload: Workload = {
    ...{ name: 'killed', title: 'Redis is killed', clients, status: 'Reserved' },
    ...demandOf('hot', 1),
  }
  const isWanted = wantedOf(workload, target)
  const ids: string[] = []
  const wanted = (answer: Answer): boolean => {
    if (!isWanted(answer)) return false
    ids.push(JSON.parse(answer.body)[idName])
    return true
  }
  const stop = new AbortController()
  const load = runClosedLoop({
    ...{ host: '127.0.0.1', port: target.port, clients, warmupMs: 0, measuredMs: restMaxMs, graceMs: 0 },
    ...{ request: requestsOf(workload, target), wanted, signal: stop.signal },
  })
  await sleep(afterMs)
  const killedAt = performance.now()
  await kill()
  stop.abort()
  await load
  return { ids, killedAt }
}

/** Waits until nothing is under way any more; where something was lost, that never ends by itself. */
async function atRest(target: Target, books: string[]): Promise<{ held: number }> {
  const deadline = performance.now() + restMaxMs
  for (let last = -1; ; await sleep(500)) {
    const account = await target.account(books).catch(() => undefined)
    if (account && (!account.undecided || account.held === last)) {
      await settle(target, [])
      return await target.account(books)
    }
    if (performance.now() > deadline) throw new Error(`${target.name} does not come to rest`)
    last = account?.held ?? -1
  }
}

async function countRecorded(sql: postgres.Sql, name: Killable, ids: string[]): Promise<number> {
  const { table, id } = recorded[name]
  const [found] = await sql<{ rows: number }[]>`
    select count(*)::int as rows from ${sql(table)} where ${sql(id)} = any(${ids}::uuid[]) and status = 'Reserved'`
  return found!.rows
}

/** A line for each kind of death: sums over all kills, and the worst of them. */
export function describeKills(title: string, kills: Kill[]): string[] {
  return deaths.map((death) => {
    const own = kills.filter((kill) => kill.death === death)
    const sum = (figure: (kill: Kill) => number) =>
      count(own.reduce((total, kill) => total + figure(kill), 0))
    const worst = count(Math.max(0, ...own.map(({ lost }) => lost)))
    const who = death === 'process' ? 'Redis killed' : 'Redis killed with its machine'
    return (
      `${title}: ${who}, ${own.length} times under ${clients} customers: ${sum(({ told }) => told)} were told Reserved, ` +
      `${sum(({ lost }) => lost)} of them are lost (${worst} by the worst kill), ${sum(({ soldAgain }) => soldAgain)} ` +
      `promised copies are on offer again; ${sum(({ onlyInRedis }) => onlyInRedis)} were in no other store when it died`
    )
  })
}
