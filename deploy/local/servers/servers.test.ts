import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startRedisCluster } from '../../../tests/doubles/redis-cluster.ts'
import { storeFolder } from '../../../tests/doubles/store-folder.ts'
import { freePort } from '../processes/free-port.ts'
import { commandLine } from '../processes/orphan.ts'
import { startPostgres } from './postgres.ts'
import { postgresHome } from './postgres-home.ts'
import { startRedis } from './redis.ts'

let dir: string
beforeAll(async () => {
  dir = await storeFolder('servers')
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

test('a test run has its own Postgres and Redis', async () => {
  expect(await query(inject('postgresUrl'), 'select current_database() as name')).toMatchObject([
    { name: 'bookreservation' },
  ])
  const redis = new Redis(inject('redisUrl'))
  expect(await redis.ping()).toBe('PONG')
  redis.disconnect()
})

test('Postgres has its data after a stop and after a kill', async () => {
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

test('Postgres demands its password', async () => {
  await using server = await startPostgres({ dataDir: join(dir, 'guarded'), fast: true })
  const url = new URL(server.url)
  url.password = 'guess'
  await expect(query(url.href, 'select 1')).rejects.toThrow(/password authentication failed/)
})

test('Redis has its data after a stop, and when it is full it refuses writes instead of evicting keys', async () => {
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

test('the error names a port that is in use', async () => {
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

test('Redis demands its password, which no command line shows', async () => {
  const dataDir = join(dir, 'secret')
  await using server = await startRedis({ dataDir })
  const url = new URL(server.url)
  expect(await commandLine(server.pid)).not.toContain(url.password)
  expect((await stat(join(dataDir, 'password.conf'))).mode & 0o777).toBe(0o600)
  const stranger = new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })
  stranger.on('error', () => {})
  await expect(stranger.ping()).rejects.toThrow(/NOAUTH/)
  stranger.disconnect()
})

test('only its user can enter the folder of a server, whatever its modes were', async () => {
  const mode = async (path: string) => (await stat(path)).mode & 0o777
  for (const [name, start] of [
    ['open-postgres', startPostgres],
    ['open-redis', startRedis],
  ] as const) {
    const dataDir = join(dir, name)
    await mkdir(dataDir)
    await chmod(dataDir, 0o755)
    await using _server = await start({ dataDir })
    expect(await mode(dataDir)).toBe(0o700)
  }
})

describe('a Redis that cannot read its data', () => {
  const log = (dataDir: string) => join(dataDir, 'appendonlydir/appendonly.aof.1.incr.aof')
  const base = (dataDir: string) => join(dataDir, 'appendonlydir/appendonly.aof.1.base.rdb')

  async function stopped(name: string): Promise<string> {
    const dataDir = join(dir, name)
    await using server = await startRedis({ dataDir })
    const client = new Redis(server.url)
    await client.set('k', 'v')
    client.disconnect()
    return dataDir
  }

  test.each([
    ['zeros after a power cut', (it: string) => writeFile(log(it), Buffer.alloc(700), { flag: 'a' })],
    ['a base of a newer version', (it: string) => writeFile(base(it), 'REDIS0099\xfa')],
    ['a base of another program', (it: string) => writeFile(base(it), 'VALKEY080')],
    ['a malformed manifest', (it: string) => writeFile(`${log(it).slice(0, -11)}.manifest`, 'x\n')],
    ['a missing file', (it: string) => rm(base(it))],
  ])('begins empty, and the old data is kept: %s', async (name, spoil) => {
    const dataDir = await stopped(name.replaceAll(' ', '-'))
    await spoil(dataDir)
    const spoilt = await readFile(log(dataDir))
    const said: string[] = []
    await using server = await startRedis({ dataDir, say: (line) => said.push(line) })
    const client = new Redis(server.url)
    expect(await client.keys('*')).toEqual([])
    client.disconnect()
    const aside = (await readdir(dataDir)).find((it) => it.startsWith('unreadable-'))!
    expect(aside).toMatch(/^unreadable-\d{4}-\d\d-\d\dT/)
    expect(said).toEqual([
      `Redis cannot read its data and begins empty; Postgres has everything that was in it. The old data is in ${dataDir}/${aside}.`,
    ])
    expect(await readFile(log(join(dataDir, aside)))).toEqual(spoilt)
  })

  test('keeps its data if something else is the cause', async () => {
    const dataDir = await stopped('not-at-fault')
    const said: string[] = []
    const say = (line: string) => said.push(line)
    await writeFile(join(dataDir, 'password.conf'), 'no-such-setting 1\nrequirepass '.padEnd(78, '0'))
    await expect(startRedis({ dataDir, say })).rejects.toThrow(/no-such-setting/)
    await rm(join(dataDir, 'password.conf'))
    await using server = await startRedis({ dataDir, say })
    const client = new Redis(server.url)
    expect(await client.get('k')).toBe('v')
    client.disconnect()
    expect(said).toEqual([])
    expect((await readdir(dataDir)).filter((it) => it.startsWith('unreadable-'))).toEqual([])
  })
})

describe('postmaster.pid of a Postgres that was killed', () => {
  let dataDir: string
  beforeAll(async () => {
    dataDir = join(dir, 'killed')
    await using first = await startPostgres({ dataDir, fast: true })
    await query(first.url, 'create table kept as select 7 as n')
  })
  const pidFile = () => join(dataDir, 'cluster/postmaster.pid')
  const user = () => (process.getuid?.() === 0 ? idsOf('postgres') : {})
  const idsOf = (name: string) => {
    const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
    return { uid: id('-u'), gid: id('-g') }
  }

  /** @returns the text of the file. */
  async function killed(): Promise<string> {
    const server = await startPostgres({ dataDir, fast: true })
    server.kill('SIGKILL')
    await server.exited
    return readFile(pidFile(), 'utf8')
  }

  async function works(): Promise<void> {
    await using server = await startPostgres({ dataDir, fast: true })
    expect(await query(server.url, 'select n from kept')).toEqual([{ n: 7 }])
  }

  test('does not stop a start when another process of its user has the pid', async () => {
    const text = await killed()
    const another = spawn('sleep', ['600'], user())
    await writeFile(pidFile(), text.replace(/^\d+/, String(another.pid)))
    await works()
    another.kill()
  })

  test('does not stop a start when a Postgres of another folder has the pid', async (context) => {
    context.skip(process.platform !== 'linux', 'the working folder of a process is only visible on Linux')
    const text = await killed()
    await using another = await startPostgres({ dataDir: join(dir, 'another'), fast: true })
    await writeFile(pidFile(), text.replace(/^\d+/, String(another.pid)))
    await works()
    expect(await query(another.url, 'select 7 as n')).toEqual([{ n: 7 }])
  })

  test.each([
    ['nothing', ''],
    ['zeros', '\0'.repeat(90)],
  ])('does not stop a start when a power cut left %s in it', async (_name, text) => {
    await killed()
    await writeFile(pidFile(), text)
    await works()
  })

  test('F4: refuses a start, in one line, while a Postgres of another program runs there', async () => {
    await killed()
    const bin = (await postgresHome(dataDir, () => {})).bin
    const args = ['-D', 'cluster', '-p', String(await freePort()), '-c', 'unix_socket_directories=']
    const foreign = spawn(join(bin, 'postgres'), args, { cwd: dataDir, env: {}, ...user() })
    const ready = new Promise<void>((resolve) =>
      foreign.stderr.on('data', (text) => /ready to accept/.test(text) && resolve()),
    )
    await ready
    const said: string[] = []
    await expect(startPostgres({ dataDir, say: (line) => said.push(line) })).rejects.toThrow(
      `${dataDir}/cluster is in use by a Postgres that npm start did not start, process ${foreign.pid}: stop it first`,
    )
    expect(await readFile(pidFile(), 'utf8')).toMatch(`${foreign.pid}\n`)
    const ended = new Promise((resolve) => foreign.once('exit', resolve))
    foreign.kill('SIGINT')
    await ended
    await works()
  })
})
