import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { startRedisCluster } from './redis-cluster.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
  await chmod(dir, 0o711)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const query = async (url: string, text: string) => {
  const sql = postgres(url, { max: 1 })
  try {
    return await sql.unsafe(text)
  } finally {
    await sql.end()
  }
}

test('a test run has a Postgres and a Redis of its own', async () => {
  expect(await query(inject('postgresUrl'), 'select current_database() as name')).toMatchObject([
    { name: 'bookreservation' },
  ])
  const redis = new Redis(inject('redisUrl'))
  expect(await redis.ping()).toBe('PONG')
  redis.disconnect()
})

test('Postgres finds its data again, after a stop and after a kill', async () => {
  const options = { dataDir: join(dir, 'postgres') }
  const first = await startPostgres(options)
  await query(first.url, 'create table kept (n int)')
  await query(first.url, 'insert into kept values (1)')
  await first.stop()
  const second = await startPostgres(options)
  await query(second.url, 'insert into kept values (2)')
  second.kill('SIGKILL')
  await second.exited
  await using third = await startPostgres(options)
  expect(await query(third.url, 'select n from kept order by n')).toMatchObject([{ n: 1 }, { n: 2 }])
  expect(await query(third.url, 'show fsync')).toMatchObject([{ fsync: 'on' }])
  expect(await query(third.url, 'show synchronous_commit')).toMatchObject([{ synchronous_commit: 'on' }])
})

test('Postgres asks for its password', async () => {
  await using server = await startPostgres({ dataDir: join(dir, 'guarded'), fast: true })
  const url = new URL(server.url)
  url.password = 'guess'
  await expect(query(url.href, 'select 1')).rejects.toThrow(/password authentication failed/)
})

test('a start stops the orphans that an earlier one left, and takes their data over', async () => {
  const postgresDir = join(dir, 'orphan-postgres')
  const redisDir = join(dir, 'orphan-redis')
  const orphans = [
    await startPostgres({ dataDir: postgresDir, fast: true }),
    await startRedis({ dataDir: redisDir }),
  ] as const
  await query(orphans[0].url, 'create table kept (n int)')
  const said: string[] = []
  const say = (line: string) => said.push(line)
  await using heir = await startPostgres({ dataDir: postgresDir, fast: true, say })
  await using _redis = await startRedis({ dataDir: redisDir, say })
  expect(said).toEqual([
    'Stopped a Postgres that an earlier run left behind.',
    'Stopped a Redis that an earlier run left behind.',
  ])
  expect(await query(heir.url, 'select n from kept')).toEqual([])
  await Promise.all(orphans.map((orphan) => orphan.exited))
})

test('Redis finds its data again, and refuses writes rather than forget when full', async () => {
  const dataDir = join(dir, 'redis')
  const first = await startRedis({ dataDir })
  const writer = new Redis(first.url)
  await writer.xadd('s', '7-0', 'k', 'v')
  writer.disconnect()
  await first.stop()
  await using second = await startRedis({ dataDir })
  const reader = new Redis(second.url)
  expect(await reader.xrange('s', '-', '+')).toEqual([['7-0', ['k', 'v']]])
  expect(await reader.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
  reader.disconnect()
})

test('a port that is taken is named', async () => {
  await using taken = await startRedis({ dataDir: join(dir, 'taken') })
  await expect(startRedis({ dataDir: join(dir, 'late'), port: taken.port })).rejects.toThrow(/already in use/)
})

test('three masters form a cluster that serves every slot', async () => {
  const dirs = ['a', 'b', 'c'].map((name) => join(dir, `cluster-${name}`))
  await using cluster = await startRedisCluster({ dirs })
  const [, hosts = ''] = cluster.url.split('://')
  const nodes = hosts.split(',').map((host) => ({ host: '127.0.0.1', port: Number(host.split(':')[1]) }))
  const client = new Cluster(nodes)
  const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
  await Promise.all(keys.map((key) => client.set(key, key)))
  expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
  client.disconnect()
})
