/** Everything that a run needs and may hurt: stores, service processes, receivers of notices, and the wires between. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { runtimeCommand } from '../../deploy/local/service.ts'
import { migrate } from '../../deploy/ops/migrate.ts'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { statementTag } from '../../streams/statement.ts'
import { Balancer } from '../doubles/balancer.ts'
import { range } from '../doubles/eventually.ts'
import { clockOff } from '../doubles/fake-clock.ts'
import { OwnServer } from '../doubles/own-server.ts'
import { TcpProxy } from '../doubles/tcp-proxy.ts'
import { Client } from '../harness/client.ts'
import { Contract } from '../harness/contract.ts'
import { root, ServiceProcess } from '../harness/service-process.ts'
import { Callers } from './callers.ts'
import { mountSmallDisk, unmount } from './disk.ts'
import { Inbox } from './inbox.ts'
import { beginLedger } from './ledger.ts'

export type StoreName = 'postgres' | 'redis'
/** The proxies between one process and its stores. */
export type Wires = Record<StoreName, TcpProxy>

export type WorldOptions = {
  /** Whether every process has its own wires to the stores. */
  wired?: boolean
  /** Whether the stores keep their data on small disks. */
  smallDisk?: boolean
  /** The source tree of the services. */
  tree?: string
  /** The source tree of an older version, which runs at first. */
  older?: string
  /** Path in the tree of a module that every service loads first. */
  preload?: string
  /** Clock offsets of the processes, in turn, and of Postgres. */
  clocks?: Record<ServiceName, string[]> & { postgres: string }
  /** Active reservations per customer. Without it there is no limit. */
  activeMax?: number
  /** Whether the services ask callers who they are. */
  identity?: boolean
  /** Initial number of processes of stock and of reservation. */
  processes?: number
}

export const partitions = 8
export const leaseTtlMs = 1_500
const prefix = 'faults'
const notifiers = 2

export class World implements AsyncDisposable {
  readonly dir: string
  readonly inbox: Inbox
  readonly postgres: OwnServer
  readonly redis: OwnServer
  /** As an administrator. */
  readonly sql: postgres.Sql
  readonly admin: Redis
  readonly processes: Record<ServiceName, ServiceProcess[]> = { reservation: [], stock: [], notifier: [] }
  readonly wires = new Map<ServiceProcess, Wires>()
  readonly balancers: Record<ServiceName, Balancer>
  /** Undefined while identity is off. */
  readonly callers: Callers | undefined
  readonly #options: WorldOptions
  /** By process, because versions may differ. */
  readonly #contracts = new Map<ServiceProcess, Contract>()
  readonly #watching = new AbortController()
  /** Set when a failure was found whose data should be kept. */
  kept = false

  private constructor(
    options: WorldOptions,
    dir: string,
    servers: [OwnServer, OwnServer, Inbox],
    callers: Callers | undefined,
  ) {
    this.dir = dir
    this.callers = callers
    this.#options = options
    ;[this.postgres, this.redis, this.inbox] = servers
    // A connection's first error after a crash may be an old one, of a statement that was not sent.
    const sql = postgres(this.postgres.url, {
      max: 4,
      onnotice: () => {},
      backoff: () => 0.05,
      fetch_types: false,
      types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
      connection: { application_name: 'faults' },
    } as unknown as postgres.Options<never>) as unknown as postgres.Sql
    this.sql = statementTag([sql])
    this.admin = new Redis(this.redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: 3 })
    this.admin.on('error', () => {})
    const { signal } = this.#watching
    this.balancers = {
      reservation: new Balancer([], signal),
      stock: new Balancer([], signal),
      notifier: new Balancer([], signal),
    }
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), 'bookreservation-faults-'))
    // Accessible for the user that runs Postgres when root runs the tests.
    await chmod(dir, 0o711)
    for (const store of ['postgres', 'redis']) {
      await mkdir(join(dir, store))
      if (options.smallDisk) await mountSmallDisk(join(dir, store))
    }
    const servers = await Promise.all([
      OwnServer.postgres(join(dir, 'postgres'), options.clocks && clockOff(options.clocks.postgres)),
      OwnServer.redis(join(dir, 'redis')),
      Inbox.start(),
    ])
    const world = new World(options, dir, servers, options.identity ? await Callers.start(dir) : undefined)
    try {
      if (options.older) await world.#migrateFrom(options.older)
      else await world.migrate()
      if (world.activeMax > 0) await beginLedger(world.sql)
      await world.#startServices()
    } catch (error) {
      world.kept = true
      await world[Symbol.asyncDispose]()
      throw new Error(`${(error as Error).message}\nLogs and data are in ${dir}`, { cause: error })
    }
    return world
  }

  get all(): ServiceProcess[] {
    return serviceNames.flatMap((service) => this.processes[service])
  }

  get older(): string | undefined {
    return this.#options.older
  }

  /** Whether all versions that run know rules of books. */
  get knowsRules(): boolean {
    return [...this.#contracts.values()].some(({ document }) => document.paths['/stocks/{bookid}/rules'])
  }

  get activeMax(): number {
    return this.#options.activeMax ?? 0
  }

  get redisPrefix(): string {
    return prefix
  }

  next(service: ServiceName): Client {
    return this.balancers[service].next()
  }

  #clientOf(process: ServiceProcess): Client {
    return new Client(
      () => process.url,
      () => this.#contracts.get(process)!,
    )
  }

  /** A client of the process behind a wire. */
  lossyClient(service: ServiceName, wire: TcpProxy): Client {
    return new Client(
      () => wire.url.replace(/\/$/, ''),
      () => this.#contracts.get(this.processes[service][0]!)!,
    )
  }

  /** Brings the database up to this version. */
  migrate(): Promise<void> {
    return migrate({ databaseUrl: this.postgres.url, partitions })
  }

  /** Brings the database up to the version of a tree. */
  async #migrateFrom(tree: string): Promise<void> {
    const [binary, ...args] = runtimeCommand('node')
    // Older versions have it among the services.
    const script = ['deploy/ops', 'actors'].map((it) => join(tree, it, 'migrate.ts')).find(existsSync)!
    await promisify(execFile)(binary, [...args, script], {
      cwd: tree,
      env: { ...process.env, DATABASE_URL: this.postgres.url, PARTITIONS: String(partitions) },
    })
  }

  /** Adds a ready process of the service. @param tree its source tree. */
  async add(service: ServiceName, tree = this.#options.tree): Promise<ServiceProcess> {
    const process = await this.#make(service, tree)
    await process.start().catch(async (error) => {
      await process.finish()
      throw error
    })
    this.processes[service].push(process)
    this.#contracts.set(process, await Contract.read(process.opsUrl))
    this.balancers[service].add(this.#clientOf(process))
    return process
  }

  async #startServices(): Promise<void> {
    const { processes = 2 } = this.#options
    const wanted = { reservation: processes, stock: processes, notifier: notifiers }
    // If a process cannot start, all are stopped, but only once no other is still starting.
    const started = await Promise.allSettled(
      serviceNames.map(async (service) => {
        for (const _ of range(wanted[service])) await this.add(service, this.#options.older)
      }),
    )
    for (const it of started) if (it.status === 'rejected') throw it.reason
  }

  async #make(service: ServiceName, tree = root): Promise<ServiceProcess> {
    const { preload, wired, clocks } = this.#options
    const index = this.processes[service].length
    const wires = wired
      ? { postgres: await TcpProxy.start(this.postgres.url), redis: await TcpProxy.start(this.redis.url) }
      : undefined
    const stores = wires ?? this
    const env = {
      ...settings,
      ...this.callers?.settings,
      DATABASE_URL: stores.postgres.url,
      REDIS_URL: stores.redis.url,
      ...(service === 'reservation' ? { ACTIVE_MAX: String(this.activeMax) } : {}),
      ...(service === 'notifier' ? this.#receivers() : {}),
      ...(clocks ? clockOff(clocks[service][index % clocks[service].length]!) : {}),
    }
    const runtimeArgs = preload ? ['--import', join(tree, preload)] : []
    const name = `${service}-${index}`
    const process = new ServiceProcess(name, { service, runtime: 'node', env, tree, runtimeArgs })
    if (wires) this.wires.set(process, wires)
    return process
  }

  #receivers() {
    const { smtpUrl, chatUrl } = this.inbox
    return { SMTP_URL: smtpUrl, CHAT_WEBHOOK_URL: chatUrl, PURCHASER_EMAIL: 'purchaser@shop.example' }
  }

  /** Stops everything. If `kept`, the data stays on disk, with the services' logs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort()
    const faults = (await Promise.all(this.all.map((process) => process.finish()))).flat()
    if (faults.length > 0) console.error(`\n${faults.join('\n')}`)
    this.admin.disconnect()
    await this.sql.end({ timeout: 1 })
    for (const { postgres, redis } of this.wires.values()) {
      await Promise.all([postgres, redis].map((wire) => wire[Symbol.asyncDispose]()))
    }
    await Promise.all(
      [this.postgres, this.redis, this.inbox, this.callers].map((it) => it?.[Symbol.asyncDispose]()),
    )
    if (this.kept) await this.#writeLogs()
    else await this.#remove()
  }

  async #writeLogs(): Promise<void> {
    await mkdir(join(this.dir, 'logs'), { recursive: true })
    for (const { name, logs } of this.all) {
      const lines = logs.map((line) => `${JSON.stringify(line)}\n`)
      await appendFile(join(this.dir, 'logs', `${name}.jsonl`), lines.join(''))
    }
  }

  async #remove(): Promise<void> {
    if (this.#options.smallDisk)
      await Promise.all(['postgres', 'redis'].map((it) => unmount(join(this.dir, it))))
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** Settings that differ from those of `npm start`: short times, so that faults hit them, and more partitions than workers. */
const settings = {
  REDIS_PREFIX: prefix,
  PARTITIONS: String(partitions),
  LEASE_TTL_MS: String(leaseTtlMs),
  RESEND_AFTER_MS: '1000',
  // Longer than the balancer, in the busy process of the campaign, takes to notice.
  DRAIN_MS: '1000',
  NOTICE_DELAY_MS: '50',
  NOTICE_GATHER_MS: '500',
  PICKUP_GRACE_MS: '0',
  WEBHOOK_ALLOW_PRIVATE: 'true',
  // The checks look for each line that the notifier writes.
  LOG_LINES_PER_SECOND: '1000000',
}
