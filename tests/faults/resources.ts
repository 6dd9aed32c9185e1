/** The resource usage of the system, for comparing before and after. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '../../actors/messages.ts'
import { streamKey } from '../../streams/partition.ts'
import { range } from '../doubles/eventually.ts'
import { partitions, type World } from './world.ts'

export type Resources = {
  /** Resident memory by process. Empty without `/proc`. */
  memoryMb: Map<string, number>
  postgresConnections: number
  /** The sum of the services' pool sizes. */
  postgresConnectionsMax: number
  idleInTransaction: number
  redisConnections: number
  longestStream: number
}

/** Entries that a stream may keep when all are committed: Redis trims in steps of a hundred, one partition at a time. */
export const streamMax = 400
const trimWithinMs = 20_000
const lookEveryMs = 500

const poolsOf = { reservation: 16, stock: 8, notifier: 12 }

export async function measure(world: World): Promise<Resources> {
  const { sql, admin, all, processes } = world
  const memory = all
    .filter(({ running }) => running)
    .map(async (it) => [it.name, await residentMb(it.pid)] as const)
  const [row] = await sql<{ open: number; idle: number }[]>`
    select count(*) as open, count(*) filter (where state like 'idle in transaction%') as idle
    from pg_stat_activity where application_name like 'bookreservation-%'`
  const clients = String(await admin.client('LIST'))
    .trim()
    .split('\n')
  return {
    memoryMb: new Map((await Promise.all(memory)).filter(([, mb]) => mb > 0)),
    postgresConnections: row!.open,
    postgresConnectionsMax: Object.entries(poolsOf).reduce(
      (sum, [service, pool]) => sum + pool * processes[service as keyof typeof poolsOf].length,
      0,
    ),
    idleInTransaction: row!.idle,
    redisConnections: clients.length,
    longestStream: await longestStream(world),
  }
}

/** As `measure`, after waiting until committed entries are trimmed. */
export async function measureTrimmed(world: World): Promise<Resources> {
  const deadline = Date.now() + trimWithinMs
  while ((await longestStream(world)) > streamMax && Date.now() < deadline) await sleep(lookEveryMs)
  return await measure(world)
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(status.match(/VmRSS:\s+(\d+) kB/)?.[1] ?? 0) / 1024)
}

async function longestStream({ admin, redisPrefix }: World): Promise<number> {
  const keys = Object.values(topics).flatMap((topic) =>
    range(partitions).map((partition) => streamKey(redisPrefix, topic, partition)),
  )
  return Math.max(...(await Promise.all(keys.map((key) => admin.xlen(key)))))
}
