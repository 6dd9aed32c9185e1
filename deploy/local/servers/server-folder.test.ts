/** Servers that another process started: it is alive, killed, or in other namespaces. */
import { execFileSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { storeFolder } from '../../../tests/doubles/store-folder.ts'
import { type Child, startChild } from '../processes/child.ts'
import { tryLock } from '../processes/flock.mjs'
import { commandLine } from '../processes/orphan.ts'
import { compileCache } from '../service.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'

const namespaces = ['unshare', '--pid', '--ipc', '--mount-proc', '--fork', '--kill-child']
const canUnshare = (() => {
  try {
    execFileSync(namespaces[0]!, [...namespaces.slice(1), 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

let dir: string
let starters: Child[]
let said: string[]
beforeEach(async () => {
  dir = await storeFolder('folder')
  starters = []
  said = []
})
afterEach(async () => {
  await Promise.all(starters.map((it) => it.stop()))
  // Their servers outlive them, and write until they end.
  await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
})

type Patience = { folderWaitMs?: number }
const postgresHere = (patience: Patience = {}) =>
  startPostgres({ dataDir: join(dir, 'postgres'), fast: true, say: (it) => said.push(it), ...patience })
const redisHere = (patience: Patience = {}) =>
  startRedis({ dataDir: join(dir, 'redis'), say: (it) => said.push(it), ...patience })

type Started = { starter: Child; urls: { postgres: string; redis: string } }

/** @param around a command that runs the starter, such as `unshare`. The starter is then its second process. */
async function startElsewhere(around: string[] = []): Promise<Started> {
  const here = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
  const script = `
    const { startPostgres } = await import(${here('./postgres.ts')})
    const { startRedis } = await import(${here('./redis.ts')})
    const dir = process.argv[1]
    const [postgres, redis] = await Promise.all([
      startPostgres({ dataDir: dir + '/postgres', fast: true }),
      startRedis({ dataDir: dir + '/redis' }),
    ])
    console.log('up ' + JSON.stringify({ postgres: postgres.url, redis: redis.url }))`
  const node = [process.execPath, '--input-type=module', '-e', script, dir]
  // The shell is the first process of the namespace: while it lives, orphans may live.
  const [command, ...args] = around.length
    ? [...around, '/bin/sh', '-c', '"$@"; sleep 600', 'sh', ...node]
    : node
  const starter = await startChild({
    name: 'starter',
    command: command!,
    args,
    env: { PATH: process.env.PATH, ...compileCache },
  })
  starters.push(starter)
  const line = await starter.line(/^up /, 30_000)
  return { starter, urls: JSON.parse(line.slice(3)) }
}

/** Kills the starter, and before that the watchers that would stop its servers. */
async function orphan({ starter }: Started): Promise<void> {
  const family = await descendants(starter.pid)
  const commands = await Promise.all(family.map(commandLine))
  const those = (pattern: RegExp) => family.filter((_, i) => pattern.test(commands[i]!))
  for (const pid of [...those(/^\/bin\/sh -c trap/), ...those(/^\S+ --input-type=module/)]) kill(pid)
  for (const server of ['postgres', 'redis'])
    await vi.waitUntil(() => canLock(join(dir, server, 'starter.lock')), 10_000)
}

/** A killed process holds its locks for a moment longer. */
async function canLock(path: string): Promise<boolean> {
  const lock = await tryLock(path)
  if (lock !== undefined) closeSync(lock)
  return lock !== undefined
}

const kill = (pid: number) => process.kill(pid, 'SIGKILL')

async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = text.trim().split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(descendants))).flat()]
}

async function query(url: string, text: string) {
  // With `fast`, a server loses commits that it had no time to write. The services set this, too.
  const sql = postgres(url, { max: 1, connection: { synchronous_commit: 'on' } })
  try {
    return await sql.unsafe(text)
  } finally {
    await sql.end()
  }
}

async function set(url: string, key: string): Promise<void> {
  const redis = new Redis(url)
  await redis.set(key, 'kept')
  redis.disconnect()
}

async function get(url: string, key: string): Promise<string | null> {
  const redis = new Redis(url)
  try {
    return await redis.get(key)
  } finally {
    redis.disconnect()
  }
}

test('F2: the servers of a live starter are left alone', async () => {
  const { urls } = await startElsewhere()
  await Promise.all([
    expect(postgresHere()).rejects.toThrow(
      /postgres is in use by the Postgres of another start: stop that first$/,
    ),
    expect(redisHere()).rejects.toThrow(/redis is in use by the Redis of another start: stop that first$/),
  ])
  expect(await query(urls.postgres, 'select 7 as n')).toEqual([{ n: 7 }])
  await set(urls.redis, 'k')
})

test('F3: a start stops visible orphans and takes over their data', async () => {
  const before = await startElsewhere()
  await query(before.urls.postgres, 'create table kept as select 7 as n')
  await set(before.urls.redis, 'k')
  await orphan(before)
  await before.starter.exited
  await using heir = await postgresHere()
  await using redis = await redisHere()
  expect(said).toEqual([
    'Stopped a Postgres that an earlier start left behind.',
    'Stopped a Redis that an earlier start left behind.',
  ])
  expect(await query(heir.url, 'select n from kept')).toEqual([{ n: 7 }])
  expect(await get(redis.url, 'k')).toBe('kept')
})

test.runIf(canUnshare)(
  'F3: a start is refused while invisible orphans run, and these lose nothing',
  async () => {
    const before = await startElsewhere(namespaces)
    await query(before.urls.postgres, 'create table kept as select 7 as n')
    await orphan(before)
    const [postgres, redis] = await Promise.allSettled([
      postgresHere({ folderWaitMs: 2_000 }),
      redisHere({ folderWaitMs: 2_000 }),
    ])
    expect(postgres).toMatchObject({
      reason: { message: expect.stringMatching(/in use by a Postgres that is not visible here/) },
    })
    expect(redis).toMatchObject({
      reason: { message: expect.stringMatching(/in use by a Redis that is not visible here/) },
    })
    expect(await query(before.urls.postgres, 'insert into kept values (8) returning n')).toEqual([{ n: 8 }])
    await set(before.urls.redis, 'k')
    expect(said.toSorted()).toEqual([
      `Waiting for a Postgres that still uses ${dir}/postgres.`,
      `Waiting for a Redis that still uses ${dir}/redis.`,
    ])
    // The end of its first process ends the whole namespace.
    const [, first] = await descendants(before.starter.pid)
    kill(first!)
    await before.starter.exited
    await using heir = await postgresHere()
    await using it = await redisHere()
    expect(await query(heir.url, 'select n from kept order by n')).toEqual([{ n: 7 }, { n: 8 }])
    expect(await get(it.url, 'k')).toBe('kept')
  },
  90_000,
)

test('F1: a start waits for the backends of a killed Postgres', async () => {
  const first = await postgresHere()
  const pids = (await descendants(first.pid)).filter((pid) => pid !== first.pid)
  // One of its processes is halted, so that it does not exit.
  const last = pids.at(-1)!
  process.kill(last, 'SIGSTOP')
  first.kill('SIGKILL')
  await first.exited
  const second = postgresHere()
  await vi.waitUntil(() => said.length > 0, 10_000)
  expect(said).toEqual([`Waiting for a Postgres that still uses ${dir}/postgres.`])
  kill(last)
  await using it = await second
  expect(await query(it.url, 'select 7 as n')).toEqual([{ n: 7 }])
}, 60_000)
