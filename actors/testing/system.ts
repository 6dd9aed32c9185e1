/** The whole system, for one test: a database and streams of its own, and real processes. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, expect, inject, type TestContext } from 'vitest'
import { type Passwords, type ServiceName, serviceNames } from '../config.ts'
import { migrate } from '../migrate.ts'
import { Client } from './client.ts'
import { Contract } from './contract.ts'
import { type Runtime, ServiceProcess } from './service-process.ts'

export const leaseTtlMs = 1_500

export type Env = Record<string, string | undefined>

export type SystemOptions = {
  /** Processes of each service; one by default. */
  stock?: number
  reservation?: number
  notifier?: number
  runtime?: Runtime
  partitions?: number
  /** With `false` there are stores, and no process is started. */
  started?: boolean
  /** A server of the test's own, where it is going to be hurt; the shared one by default. */
  postgresUrl?: string
  redisUrl?: string
  /** Each service logs in to Postgres and Redis as itself, with its password here. */
  passwords?: Passwords
  /** Settings of every process, above the defaults. */
  env?: Record<string, string>
  /** Settings of one process, above all others. It is given the system's own. */
  envOf?: (service: ServiceName, index: number, env: Record<string, string>) => Env
}

export class System implements AsyncDisposable {
  readonly processes: Record<ServiceName, ServiceProcess[]>
  /** A client of the first process of each service. */
  readonly reservation: Client
  readonly stock: Client
  readonly notifier: Client
  /** The database as an administrator sees it: tables are named `schema.table`. For checks alone. */
  readonly sql: postgres.Sql
  readonly partitions: number
  readonly redisUrl: string
  readonly redisPrefix: string
  readonly #contracts: Partial<Record<ServiceName, Contract>> = {}
  readonly #drop: () => Promise<void>
  /** Of the test that the system belongs to, if it belongs to one. */
  #expect = expect

  constructor(
    processes: Record<ServiceName, ServiceProcess[]>,
    facts: { sql: postgres.Sql; partitions: number; redisUrl: string; redisPrefix: string },
    drop: () => Promise<void>,
  ) {
    this.processes = processes
    this.sql = facts.sql
    this.partitions = facts.partitions
    this.redisUrl = facts.redisUrl
    this.redisPrefix = facts.redisPrefix
    this.#drop = drop
    this.reservation = this.client('reservation')
    this.stock = this.client('stock')
    this.notifier = this.client('notifier')
  }

  client(service: ServiceName, index = 0): Client {
    return new Client(
      () => this.processes[service][index]!.url,
      () => this.#contracts[service]!,
    )
  }

  /** Where the first process of a service has its probes, metrics and docs. */
  opsUrl(service: ServiceName): string {
    return this.processes[service][0]!.opsUrl
  }

  /** Starts every process and reads what each service promises. */
  async start(): Promise<void> {
    await Promise.all(this.all.map((process) => process.start()))
    await Promise.all(
      serviceNames.map(async (service) => {
        const first = this.processes[service][0]
        if (first) this.#contracts[service] = await Contract.read(first.opsUrl)
      }),
    )
  }

  /** Faults of the processes, and their logs if it fails, are shown with that test. */
  belongTo({ expect, onTestFailed }: TestContext): void {
    this.#expect = expect
    onTestFailed(() => console.error(this.tail()))
  }

  get all(): ServiceProcess[] {
    return serviceNames.flatMap((service) => this.processes[service])
  }

  /** The newest log lines of every process. */
  tail(): string {
    return this.all.map((process) => process.tail()).join('\n')
  }

  /** Stops every process and drops the database. @returns what went wrong with the processes, now or before. */
  async stop(): Promise<string[]> {
    const faults = await Promise.all(this.all.map((process) => process.finish()))
    await this.#drop()
    return faults.flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const faults = await this.stop()
    // Beside the fault of the test itself, if it had one, which an exception would hide.
    this.#expect.soft(faults, 'processes that did not end as they were told').toEqual([])
  }
}

let starting: Promise<unknown> = Promise.resolve()

/**
 * A fresh database on the Postgres server, a fresh prefix on Redis, migrated, and the processes started and ready.
 * Disposing it stops them; a process that ended by itself, or not with 0, makes that fail.
 *
 * Systems of one file start one after the other, for starting takes all that the machine has: side by side, each would need
 * so long that its processes give up.
 */
export function startSystem(options: SystemOptions = {}): Promise<System> {
  const system = starting.then(() => startAtOnce(options))
  starting = system.catch(() => {})
  return system
}

async function startAtOnce(options: SystemOptions): Promise<System> {
  const postgresUrl = options.postgresUrl ?? inject('postgresUrl')
  const redisUrl = options.redisUrl ?? inject('redisUrl')
  const partitions = options.partitions ?? 8
  const name = `test-${randomBytes(5).toString('hex')}`
  const server = postgres(postgresUrl, { max: 1, onnotice: () => {} })
  await server`create database ${server(name)}`
  const databaseUrl = withDatabase(postgresUrl, name)
  await migrate({
    databaseUrl,
    partitions,
    databasePasswords: options.passwords,
    redisPasswords: options.passwords,
    redisUrl,
    redisPrefix: name,
  })

  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    REDIS_PREFIX: name,
    PARTITIONS: String(partitions),
    LEASE_TTL_MS: String(leaseTtlMs),
    RESEND_AFTER_MS: '500',
    NOTICE_DELAY_MS: '0',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    ...options.env,
  }
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {}, types: { bigint: numberBigint } })
  const drop = async () => {
    await sql.end({ timeout: 1 })
    await server`drop database if exists ${server(name)} with (force)`
    await server.end({ timeout: 1 })
  }
  const system = new System(toProcesses(options, env), { sql, partitions, redisUrl, redisPrefix: name }, drop)
  try {
    if (options.started ?? true) await system.start()
  } catch (error) {
    await system.stop()
    throw error
  }
  return system
}

/** For a test that has its system to itself: its logs are shown when the test fails. */
export async function startOwnSystem(context: TestContext, options: SystemOptions = {}): Promise<System> {
  const system = await startSystem(options)
  system.belongTo(context)
  return system
}

/** One system for all tests of a file. Call it outside of tests; use what it returns inside. */
export function useSystem(options: SystemOptions = {}): () => System {
  let system: System | undefined
  beforeAll(async () => {
    system = await startSystem(options)
  }, 60_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(system?.tail())
  })
  afterAll(async () => {
    const faults = await system?.stop()
    if (faults?.length) console.error(system?.tail())
    expect(faults, 'processes that did not end as they were told').toEqual([])
  })
  return () => system!
}

function toProcesses(options: SystemOptions, env: Record<string, string>): System['processes'] {
  const processesOf = (service: ServiceName) =>
    Array.from({ length: options[service] ?? 1 }, (_, index) => {
      const itself = options.passwords ? asItself(service, options.passwords[service], env) : {}
      const own = { ...env, ...itself, ...options.envOf?.(service, index, env) }
      return new ServiceProcess(`${service}-${index}`, {
        service,
        runtime: options.runtime ?? 'node',
        env: own,
      })
    })
  return {
    reservation: processesOf('reservation'),
    stock: processesOf('stock'),
    notifier: processesOf('notifier'),
  }
}

export function asItself(
  service: ServiceName,
  password: string,
  env: Record<string, string>,
): { DATABASE_URL: string; REDIS_URL: string } {
  const name = (of: string) => of.replace(/:\/\/(.*@)?/, `://${service}:${encodeURIComponent(password)}@`)
  return { DATABASE_URL: name(env.DATABASE_URL!), REDIS_URL: name(env.REDIS_URL!) }
}

export function withDatabase(url: string, database: string): string {
  const it = new URL(url)
  it.pathname = `/${database}`
  return it.href
}

const numberBigint = { to: 20, from: [20], serialize: String, parse: Number }
