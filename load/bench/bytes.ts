/**
 * Bytes that the stores write and keep per reservation. They are measured before and after a run, for all databases and keys, so no
 * other client may use them meanwhile.
 */
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { closing } from '../../streams/postgres.ts'

export type Weight = {
  /** Bytes of WAL. */
  wal: number
  /** Bytes of the files of tables and indexes. */
  tables: number
  fsyncs: number
  /** A statement outside of a transaction counts as one. Reported with a delay of one second. */
  transactions: number
  /** Bytes of Redis's memory. */
  memory: number
  /** Bytes of Redis's append-only file. */
  log: number
  /** How often that file was rewritten, smaller. */
  rewrites: number
  commands: number
}

/** The difference of two measurements, per request. NaN: the log was rewritten meanwhile. */
export type Growth = Omit<Weight, 'rewrites'>

type Weighed = { databaseUrl: string; redisUrl: string }

/** @throws when a store does not answer. */
export async function weigh({ databaseUrl, redisUrl }: Weighed): Promise<Weight> {
  const [inPostgres, inRedis] = await Promise.all([weighPostgres(databaseUrl), weighRedis(redisUrl)])
  return { ...inPostgres, ...inRedis }
}

async function weighPostgres(databaseUrl: string) {
  await using sql = closing(postgres(databaseUrl, { max: 1, onnotice: () => {} }))
  const [weight] = await sql<Pick<Weight, 'wal' | 'tables' | 'fsyncs' | 'transactions'>[]>`select
      (pg_current_wal_insert_lsn() - '0/0')::float8 as wal,
      (select sum(pg_database_size(oid)) from pg_database)::float8 as tables,
      (select coalesce(sum(fsyncs), 0) from pg_stat_io where object = 'wal')::float8 as fsyncs,
      (select sum(xact_commit) from pg_stat_database)::float8 as transactions`
  return weight!
}

async function weighRedis(redisUrl: string) {
  const redis = new Redis(redisUrl)
  try {
    const info = await redis.info()
    const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    return {
      memory: figure('used_memory'),
      log: figure('aof_current_size'),
      rewrites: figure('aof_rewrites'),
      commands: figure('total_commands_processed'),
    }
  } finally {
    redis.disconnect()
  }
}

/** @param requests the number of requests between the two. */
export function growthOf(before: Weight, after: Weight, requests: number): Growth {
  const each = (name: keyof Weight) => (after[name] - before[name]) / Math.max(1, requests)
  return {
    wal: each('wal'),
    tables: each('tables'),
    fsyncs: each('fsyncs'),
    transactions: each('transactions'),
    memory: each('memory'),
    log: after.rewrites === before.rewrites ? each('log') : Number.NaN,
    commands: each('commands'),
  }
}
