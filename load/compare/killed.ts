/**
 * Kills Redis under load, restarts it on its data, and counts the acknowledged reservations that are lost. Postgres keeps
 * running.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { startRedis } from '../../deploy/local/servers/redis.ts'
import type { Server } from '../../deploy/local/servers/server.ts'
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

/** Ours, and the contender that keeps its decisions in Redis. */
export const killable = ['ours-node', 'redis-lua'] as const
type Killable = (typeof killable)[number]

/**
 * `process`: only Redis is killed, and the kernel keeps everything that it wrote. `machine`: its file also loses the last second,
 * as in a power cut, because Redis flushes the file once a second.
 */
const deaths = ['process', 'machine'] as const
type Death = (typeof deaths)[number]

/** The outcome of one kill. */
type Kill = {
  death: Death
  /** Answers that said `Reserved`: acknowledged reservations. */
  acknowledged: number
  /** Acknowledged, and not in Postgres when Redis was dead. */
  onlyInRedis: number
  /** Acknowledged, and in no store after the restart. */
  lost: number
  /** Copies of acknowledged reservations that are available again after the restart. */
  soldAgain: number
}

/** The table of reservations, and the name of their id in it and in answers. */
const recorded: Record<Killable, { table: string; id: string }> = {
  'ours-node': { table: 'reservation.reservation', id: 'reservationid' },
  'redis-lua': { table: 'reservation', id: 'id' },
}

const clients = 64
const beforeMs = 2_000
/** Each kill happens at another moment of Redis's flush interval. */
const stepMs = 370
const restMaxMs = 60_000
/** How often Redis flushes its file. */
const flushMs = 1_000

type KillOptions = { kills: number; around: Surroundings; signal: AbortSignal }

/** Kills Redis `kills` times in each way, alternately. */
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
      const sent = await reserveUntil(target, recorded[name].id, afterMs, () => kill(redis))
      if (death === 'machine') await log.cutTo(sent.killedAt - flushMs)
      const before = await countRecorded(sql, name, sent.ids)
      redis = await startRedis({ dataDir, port: redis.port })
      const { held: heldAfter } = await atRest(target, books)
      const after = await countRecorded(sql, name, sent.ids)
      found.push({
        death,
        acknowledged: sent.ids.length,
        onlyInRedis: sent.ids.length - before,
        lost: sent.ids.length - after,
        soldAgain: Math.max(0, sent.ids.length - (heldAfter - held)),
      })
    }
    return found
  } finally {
    await sql.end({ timeout: 2 })
    await target.stop()
    await redis.stop()
  }
}

async function kill(redis: Server): Promise<void> {
  redis.kill('SIGKILL')
  await redis.exited
}

/** Sends load until Redis is dead. @returns the ids of the acknowledged reservations. */
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

/** Waits until no work is left. After a loss the account stays incomplete, so it is sufficient that it no longer changes. */
async function atRest(target: Target, books: string[]): Promise<{ held: number }> {
  const deadline = performance.now() + restMaxMs
  for (let last = -1; ; await sleep(500)) {
    const account = await target.account(books).catch(() => undefined)
    if (account && (!account.undecided || account.held === last)) {
      await settle(target, [])
      return await target.account(books)
    }
    if (performance.now() > deadline) throw new Error(`${target.name} does not settle`)
    last = account?.held ?? -1
  }
}

async function countRecorded(sql: postgres.Sql, name: Killable, ids: string[]): Promise<number> {
  const { table, id } = recorded[name]
  const [found] = await sql<{ rows: number }[]>`
    select count(*)::int as rows from ${sql(table)} where ${sql(id)} = any(${ids}::uuid[]) and status = 'Reserved'`
  return found!.rows
}

/** One line per kind of kill: sums, and the worst kill. */
export function describeKills(title: string, kills: Kill[]): string[] {
  return deaths.map((death) => {
    const own = kills.filter((kill) => kill.death === death)
    const sum = (figure: (kill: Kill) => number) =>
      count(own.reduce((total, kill) => total + figure(kill), 0))
    const worst = count(Math.max(0, ...own.map(({ lost }) => lost)))
    const what = death === 'process' ? 'Redis killed' : 'Redis and its machine killed'
    return (
      `${title}: ${what}, ${own.length} times under ${clients} customers: ${sum(({ acknowledged }) => acknowledged)} reservations were acknowledged, ` +
      `${sum(({ lost }) => lost)} of them were lost (${worst} in the worst kill), ${sum(({ soldAgain }) => soldAgain)} ` +
      `of their copies are available again; ${sum(({ onlyInRedis }) => onlyInRedis)} were not in Postgres at the kill`
    )
  })
}
