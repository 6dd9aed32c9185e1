/** The contenders: how each is started, and what is durable when it answers that a reservation is decided. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../../deploy/local/processes/free-port.ts'
import { root } from '../../deploy/local/root.ts'
import { compileCache } from '../../deploy/local/service.ts'
import { counted, startBaseline, startSkipLocked, startTabled } from '../bench/baseline.ts'
import { postRequest } from '../bench/closed-loop.ts'
import { answersOk, type MeasuredProcess, startProcess } from '../bench/process.ts'
import { startProduct } from '../bench/product.ts'
import { call, copiesPerBook, eachOf, type Runtime, type Surroundings, type Target } from '../bench/target.ts'
import { notes, stockKey } from './servers/redis-keys.ts'

export const contenderNames = [
  'ours-node',
  'ours-deno',
  'row-lock',
  'skip-locked',
  'redis-lua',
  'restate',
  'graphile-worker',
  'bullmq',
  'dbos',
] as const
export type ContenderName = (typeof contenderNames)[number]

type Contender = {
  title: string
  /** Says which data is on disk when it answers Reserved. */
  durability: string
  /** A second start in the same surroundings has the same books. */
  start(around: Surroundings, name: string): Promise<Target>
}

const ours = (runtime: Runtime): Contender => ({
  title: `ours, ${runtime === 'deno' ? 'Deno' : 'Node'}`,
  durability: 'Postgres, fsync (accepted, decision, status); Redis only carries',
  start: (around, name) => startProduct({ ...around, runtime }, name),
})

/** A server that decides in the jobs of its queues. */
const queued = (title: string, durability: string): Contender => ({
  title,
  durability,
  start: (around, name) =>
    startTabled(around, name, (databaseUrl) => startServer(name, storesOf(databaseUrl, around), around)),
})

const storesOf = (databaseUrl: string, { redisUrl }: Surroundings) => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: redisUrl,
})

export const contenders: Record<ContenderName, Contender> = {
  'ours-node': ours('node'),
  'ours-deno': ours('deno'),
  'row-lock': { title: 'row lock in Postgres', durability: 'Postgres, fsync', start: startBaseline },
  'skip-locked': {
    title: 'row per copy, skip locked',
    durability: 'Postgres, fsync',
    start: startSkipLocked,
  },
  'redis-lua': {
    title: 'Lua script in Redis',
    durability: 'not yet: Redis, once a second; Postgres later',
    start: startLua,
  },
  restate: {
    title: 'Restate virtual object',
    durability: "Restate's log, fsync",
    start: startRestate,
  },
  'graphile-worker': queued('graphile-worker, 16 queues', 'Postgres, fsync (job and decision)'),
  bullmq: queued('BullMQ, 16 queues', 'Postgres, fsync (decision); Redis, once a second (job)'),
  dbos: queued('DBOS partitioned queue', 'Postgres, fsync (workflow, step and decision)'),
}

/** Copies are counted in Redis; Postgres follows when the writer catches up. */
async function startLua(around: Surroundings, name: string): Promise<Target> {
  const redis = new Redis(around.redisUrl, { retryStrategy: () => 100 }).on('error', () => {})
  const target = await startTabled(
    around,
    name,
    (databaseUrl) => startServer(name, storesOf(databaseUrl, around), around),
    {
      stock: async (sql, books) => {
        await counted.stock(sql, books)
        await redis.mset(new Map(books.map((bookid) => [stockKey(bookid), copiesPerBook])))
      },
      account: async (sql) => {
        const books = (await sql<{ bookid: string }[]>`select bookid from stock`).map(({ bookid }) => bookid)
        const left = books.length ? await redis.mget(books.map(stockKey)) : []
        const held = left.reduce((sum, copies) => sum + copiesPerBook - Number(copies ?? 0), 0)
        const written = await counted.account(sql)
        return {
          held,
          undecided: (await redis.llen(notes)) > 0 || written.held !== held || written.undecided,
        }
      },
    },
  ).catch((error) => {
    redis.disconnect()
    throw error
  })
  const stop = async () => {
    redis.disconnect()
    await target.stop()
  }
  return { ...target, stop }
}

/** On Node with its defaults: the heap limits are part of the product. */
function startServer(
  name: string,
  env: Record<string, string>,
  { logDir }: Surroundings,
  ready?: (port: number) => Promise<boolean>,
): Promise<MeasuredProcess> {
  const script = join(import.meta.dirname, 'servers', `${name}.ts`)
  const command = [join(root, 'node_modules', '.bin', 'node'), script]
  const logFile = join(logDir, `${name}.log`)
  return startProcess({ name, command, env: { ...compileCache, ...env }, logFile, ...(ready && { ready }) })
}

/** The Restate server, and the service whose handlers it calls. */
async function startRestate(around: Surroundings, name: string): Promise<Target> {
  // At its default, `info`, it logs a line per call.
  const service = await startServer(name, { RESTATE_LOGGING: 'WARN' }, around, acceptsConnections)
  const admin = await freePort()
  const binary = join(
    import.meta.dirname,
    `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  )
  const ingress = await freePort()
  try {
    const server = await startProcess({
      name: 'restate-server',
      command: [binary, '--no-logo', '--node-name', 'compared', '--base-dir', join(around.logDir, name)],
      env: {
        RESTATE_LISTEN_MODE: 'tcp',
        RESTATE_BIND_IP: '127.0.0.1',
        RESTATE_BIND_PORT: String(await freePort()),
        RESTATE_ADMIN__BIND_PORT: String(admin),
        RESTATE_INGRESS__BIND_PORT: String(ingress),
        RESTATE_LOG_FILTER: 'warn',
        RESTATE_DISABLE_TELEMETRY: 'true',
      },
      logFile: join(around.logDir, 'restate-server.log'),
      port: ingress,
      ready: async (port) =>
        (await answersOk(`http://127.0.0.1:${admin}/health`)) &&
        (await answersOk(`http://127.0.0.1:${port}/restate/health`)),
    })
    await register(admin, service.port)
    return restateTarget(name, service, server)
  } catch (error) {
    await service.stop()
    throw error
  }
}

async function register(admin: number, service: number): Promise<void> {
  const uri = `http://127.0.0.1:${service}`
  const response = await call(`http://127.0.0.1:${admin}/deployments`, { uri, force: true })
  if (!response.ok)
    throw new Error(`Cannot register with Restate: ${response.status} ${await response.text()}`)
  await response.body?.cancel()
}

function restateTarget(name: string, service: MeasuredProcess, server: MeasuredProcess): Target {
  const invoke = async <Body>(bookid: string, handler: string, body: object): Promise<Body> => {
    const response = await call(`http://127.0.0.1:${server.port}/book/${bookid}/${handler}`, body)
    const text = await response.text()
    if (!response.ok) throw new Error(`Cannot ${handler} ${bookid}: ${response.status} ${text}`)
    return (text ? JSON.parse(text) : undefined) as Body
  }
  return {
    ...{ name, port: server.port, processes: [service, server] },
    requestFor: (bookid, userid) => postRequest('localhost', `/book/${bookid}/reserve`, { userid }),
    says: ({ status, body }, wanted) => status === 200 && body.includes(`"status":"${wanted}"`),
    stock: (books) => eachOf(books, 64, (bookid) => invoke(bookid, 'receive', { qty: copiesPerBook })),
    account: async (books) => {
      let held = 0
      await eachOf(books, 64, async (bookid) => {
        const { qty } = await invoke<{ qty: number }>(bookid, 'stock', {})
        held += copiesPerBook - qty
      })
      return { held, undecided: false }
    },
    stop: async () => void (await Promise.all([server.stop(), service.stop()])),
  }
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
