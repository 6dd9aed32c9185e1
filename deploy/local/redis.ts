/** A real Redis (or Valkey) for local runs and tests: the server on the PATH, on loopback, with its log on disk. */
import { mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Exit, startChild } from './child.ts'
import { freePort, onPort } from './free-port.ts'
import { stopOrphan } from './orphan.ts'
import { findProgram } from './program.ts'

export type RedisOptions = {
  /** Made when it is not there; found again when it is. One starter at a time. */
  dataDir: string
  /** 0 means any free one. */
  port?: number
  /** A node of a Redis Cluster. */
  cluster?: boolean
  /** The server's program: the one on the PATH, unless told otherwise. */
  command?: string
  say?: (line: string) => void
  /** The server's own log. */
  onLine?: (line: string) => void
}

export type RedisServer = {
  url: string
  port: number
  pid: number
  exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const startupMaxMs = 60_000

export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const { port = 0, cluster = false, say = () => {}, onLine } = options
  await mkdir(options.dataDir, { recursive: true })
  const dataDir = await realpath(options.dataDir)
  const pidFile = join(dataDir, 'redis.pid')
  if (await stopOrphan(pidFile, `--dir ${dataDir}`, 'SIGTERM')) {
    say('Stopped a Redis that an earlier run left behind.')
  }
  const command = options.command ?? findProgram('redis-server', 'valkey-server')
  if (!command) throw new Error('Cannot find redis-server or valkey-server on the PATH')
  return onPort(port, async (port) => {
    const child = await startChild({
      name: 'Redis',
      command,
      args: [...flags(dataDir, port), ...(cluster ? await clusterFlags() : [])],
      cwd: dataDir,
      stopSignal: 'SIGTERM',
      onLine,
    })
    try {
      await child.line(/Ready to accept connections/, startupMaxMs)
      await ping(port)
    } catch (error) {
      await child.stop()
      throw error
    }
    await writeFile(pidFile, String(child.pid))
    const stop = async () => {
      await child.stop()
      await rm(pidFile, { force: true })
    }
    return {
      url: `redis://127.0.0.1:${port}`,
      port,
      pid: child.pid,
      exited: child.exited,
      kill: child.kill,
      stop,
      [Symbol.asyncDispose]: stop,
    }
  })
}

function flags(dataDir: string, port: number): string[] {
  const settings: Record<string, string | number> = {
    port,
    bind: '127.0.0.1',
    dir: dataDir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    // The append-only file is the record; snapshots would only repeat it.
    save: '',
    // The command line stays as given, so that an orphan can be told by its folder.
    'set-proc-title': 'no',
  }
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** The nodes' own bus needs a port too; the usual one, 10,000 above, may not exist or not be free. */
const clusterFlags = async () => [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
  ...['--cluster-port', String(await freePort())],
]

async function ping(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      socket.setTimeout(5_000, () => reject(new Error(`Redis on port ${port} does not answer PING`)))
      socket.once('error', reject).once('data', (data) => resolve(data.toString()))
      socket.write('PING\r\n')
    })
    if (!answer.startsWith('+PONG'))
      throw new Error(`Redis on port ${port} answers PING with ${answer.trim()}`)
  } finally {
    socket.destroy()
  }
}
