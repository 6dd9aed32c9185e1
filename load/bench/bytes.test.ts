import { Redis } from 'ioredis'
import postgres from 'postgres'
import { expect, inject, test } from 'vitest'
import { type Growth, growthOf, type Weight, weigh } from './bytes.ts'
import { bytesTableOf, type Run } from './report.ts'
import { describeTables, tableBytesOf } from './tables.ts'
import { createDatabase } from './target.ts'
import { createWorkload } from './workloads.ts'

const weight = (given: Partial<Weight> = {}): Weight => ({
  ...{ wal: 0, tables: 0, fsyncs: 0, transactions: 0, memory: 0, log: 0, rewrites: 0, commands: 0 },
  ...given,
})

test('bytes written to the stores are measured', async () => {
  const stores = { databaseUrl: inject('postgresUrl'), redisUrl: inject('redisUrl') }
  const databaseUrl = await createDatabase(stores.databaseUrl, `bytes-${process.pid}`)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  const redis = new Redis(stores.redisUrl)
  const key = `bytes-${process.pid}`
  try {
    await sql`create table kept (it text)`
    await sql`create index kept_it on kept (it)`
    const [before, tables] = [await weigh(stores), await tableBytesOf(databaseUrl)]
    await sql`insert into kept select md5(n::text) from generate_series(1, 10000) n`
    // A session reports its statistics at most once a second, unless they are flushed.
    await sql`select pg_stat_force_next_flush()`
    await redis.set(key, 'x'.repeat(10_000_000))
    const { wal, memory, commands } = growthOf(before, await weigh(stores), 10_000)
    expect(wal).toBeGreaterThan(64)
    expect(memory).toBeGreaterThan(500)
    expect(commands).toBeGreaterThan(0)
    const [line] = describeTables(tables, await tableBytesOf(databaseUrl), 10_000)
    const [, heap, indexes] = /^public\.kept (\d+) B and indexes (\d+) B$/.exec(line!)!
    expect(Number(heap)).toBeGreaterThan(60)
    expect(Number(indexes)).toBeGreaterThan(50)
  } finally {
    await redis.del(key)
    redis.disconnect()
    await sql.end()
    const admin = postgres(stores.databaseUrl, { max: 1 })
    await admin`drop database ${admin(`bytes-${process.pid}`)}`
    await admin.end()
  }
})

test('a log that was rewritten has no figure per request', () => {
  const before = weight({ log: 100, wal: 100 })
  expect(growthOf(before, weight({ log: 300, wal: 900 }), 4)).toMatchObject({ log: 50, wal: 200 })
  expect(growthOf(before, weight({ log: 300, wal: 900, rewrites: 1 }), 4)).toMatchObject({
    log: Number.NaN,
    wal: 200,
  })
})

test('a figure is the median over the runs that have it', () => {
  const runs = [1_000, 3_000, 2_000].map(
    (wal): Run => ({
      ...{ workload: 'hot', target: 'product', cpuMicros: {}, catchUpMs: 0, load: {} as Run['load'] },
      growth: { ...(growthOf(weight(), weight(), 1) as Growth), wal, log: wal > 2_000 ? 7 : Number.NaN },
    }),
  )
  const [, line] = bytesTableOf(runs, createWorkload('hot', { clients: 1, books: 1 })).split('\n')
  expect(line!.trim().split(/\s+/)).toEqual(['product', '2,000', '0', '7', '0', '0.000', '0.000', '0.00'])
})
