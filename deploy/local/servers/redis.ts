/**
 * A real Redis (or Valkey) for local runs and tests: the server on the PATH, on loopback, with an append-only file and with a
 * password, because other users of the machine reach loopback too.
 *
 * Everything in Redis can be filled again from Postgres. So data that it cannot read, such as after a power cut or of a newer
 * version, is moved out of the way, and Redis begins empty.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, type Exit, startChild } from '../processes/child.ts'
import { freePort, onPort } from '../processes/free-port.ts'
import { findProgram } from '../processes/program.ts'
import { type Aside, isUnreadable, putAside } from './redis-aside.ts'
import { type Server, serverOf } from './server.ts'
import { takeServerFolder } from './server-folder.ts'

type RedisOptions = {
  /** Created if missing, otherwise its data is used. One starter at a time. */
  dataDir: string
  /** 0 is any free port. */
  port?: number
  /** A node of a Redis Cluster, for tests. It has no password, because every node would have another one. */
  cluster?: boolean
  /** The server's program. Default: the one on the PATH. */
  command?: string
  say?: (line: string) => void
  /** How long to wait for an invisible server that still uses the folder, in milliseconds (`server-folder.ts`). */
  folderWaitMs?: number
  /** The server's own log. */
  onLine?: (line: string) => void
}

const startupMaxMs = 60_000
const pidName = 'redis.pid'

export async function startRedis(options: RedisOptions): Promise<Server> {
  const { port = 0, cluster = false, say = () => {}, onLine, folderWaitMs } = options
  await mkdir(options.dataDir, { recursive: true })
  const dataDir = await realpath(options.dataDir)
  // Redis creates files that every user can read. The folder may belong to another user, so this may fail.
  await chmod(dataDir, 0o700).catch(() => {})
  const command = options.command ?? findProgram('redis-server', 'valkey-server')
  if (!command) throw new Error('Cannot find redis-server or valkey-server on the PATH')

  const pidFile = join(dataDir, pidName)
  const orphan = { pidFile, mark: `--dir ${dataDir}`, folder: dataDir, signal: 'SIGTERM' } as const
  const folder = await takeServerFolder('Redis', dataDir, orphan, { say, waitMaxMs: folderWaitMs })
  let exited: Promise<Exit> | undefined
  try {
    const password = cluster ? '' : await passwordOf(dataDir)
    const launch = (port: number) =>
      launchOn({ command, dataDir, port, password, cluster, onLine }, folder.lock)
    return await onPort(port, async (port) => {
      const child = await launchReadable(dataDir, () => launch(port), say)
      exited = child.exited
      await rm(pidFile, { force: true })
      await writeFile(pidFile, String(child.pid), { mode: 0o600 })
      return serverOf(child, `redis://${password && `:${password}@`}127.0.0.1:${port}`, port)
    })
  } finally {
    folder.release(exited)
  }
}

type LaunchOptions = {
  command: string
  dataDir: string
  port: number
  password: string
  cluster: boolean
  onLine: RedisOptions['onLine']
}

/** The server inherits the lock of the folder, and keeps it when this process is gone. */
async function launchOn(options: LaunchOptions, lock: number): Promise<Child> {
  const { command, dataDir, port, password, cluster, onLine } = options
  const config = password ? [configFile(dataDir)] : []
  const child = await startChild({
    name: 'Redis',
    command,
    args: [...config, ...flags(dataDir, port), ...(cluster ? await clusterFlags() : [])],
    cwd: dataDir,
    inherit: [lock],
    stopSignal: 'SIGTERM',
    onLine,
  })
  try {
    await child.line(/Ready to accept connections/, startupMaxMs)
    return child
  } catch (error) {
    await child.stop()
    throw error
  }
}

/** If Redis starts without its data, the data was the cause. Otherwise the data is put back. */
async function launchReadable(
  dataDir: string,
  launch: () => Promise<Child>,
  say: (line: string) => void,
): Promise<Child> {
  let reason: unknown
  let aside: Aside | undefined
  try {
    return await launch()
  } catch (error) {
    if (isUnreadable(error)) aside = await putAside(dataDir, [pidName, configName])
    if (!aside) throw error
    reason = error
  }
  try {
    const child = await launch()
    say(
      `Redis cannot read its data and begins empty; Postgres has everything that was in it. The old data is in ${aside.path}.`,
    )
    return child
  } catch {
    await aside.putBack()
    throw reason
  }
}

const configName = 'password.conf'
const configFile = (dataDir: string) => join(dataDir, configName)

/** In a file for this user only, because others can see a command line. It stays the same for clients that outlive a start. */
async function passwordOf(dataDir: string): Promise<string> {
  const file = configFile(dataDir)
  const [, known] = /^requirepass ([0-9a-f]{48})$/m.exec(await readFile(file, 'utf8').catch(() => '')) ?? []
  if (known) return known
  const fresh = randomBytes(24).toString('hex')
  await rm(file, { force: true })
  await writeFile(file, `requirepass ${fresh}\n`, { mode: 0o600 })
  return fresh
}

function flags(dataDir: string, port: number): string[] {
  const settings: Record<string, string | number> = {
    port,
    bind: '127.0.0.1',
    dir: dataDir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    // The append-only file is sufficient, snapshots would only repeat it.
    save: '',
    // Keep the command line, by which an orphan is recognized.
    'set-proc-title': 'no',
  }
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** The cluster bus needs a port too. The default, 10,000 above, may not exist or not be free. */
const clusterFlags = async () => [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
  ...['--cluster-port', String(await freePort())],
]
