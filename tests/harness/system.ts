/** The whole system for a test: its own database and streams, and real processes. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, expect, inject, type TestContext } from 'vitest'
import { migrate } from '../../deploy/ops/migrate.ts'
import { type Passwords, type ServiceName, serviceNames } from '../../platform/config.ts'
import { Client } from './client.ts'
import { Contract } from './contract.ts'
import { createDatabase } from './database.ts'
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
  /** `false` prepares the stores and starts no process. */
  started?: boolean
  /** The test's own server, if the test damages it; the shared one by default. */
  postgresUrl?: string
  redisUrl?: string
  /** Passwords with which each service logs in to Postgres and Redis as itself. */
  passwords?: Passwords
  /** Settings of every process, which override the defaults. */
  env?: Record<string, string>
  /** Settings of one process, which override all others. Called with the system's own. */
  envOf?: (service: ServiceName, index: number, env: Record<string, string>) => Env
}

export class System implements AsyncDisposable {
  readonly processes: Record<ServiceName, ServiceProcess[]>
  /** A client of the first process of each service. */
  readonly reservation: Client
  readonly stock: Client
  readonly notifier: Client
  /** The database for an administrator, with `schema.table` names. Only for checks. */
  readonly sql: postgres.Sql
  readonly partitions: number
  readonly redisUrl: string
  readonly redisPrefix: string
  readonly #contracts: Partial<Record<ServiceName, Contract>> = {}
  readonly #drop: () => Promise<void>
  /** The `expect` of the test that owns the system, if any. */
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

  /** URL of probes, metrics and docs of a service's first process. */
  opsUrl(service: ServiceName): string {
    return this.processes[service][0]!.opsUrl
  }

  /** Starts every process and reads the OpenAPI document of each service. */
  async start(): Promise<void> {
    await Promise.all(this.all.map((process) => process.start()))
    await Promise.all(
      serviceNames.map(async (service) => {
        const first = this.processes[service][0]
        if (first) this.#contracts[service] = await Contract.read(first.opsUrl)
      }),
    )
  }

  /** Shows faults of the processes with this test, and their logs if it fails. */
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

  /** Stops every process and drops the database. @returns faults of the processes, now or before. */
  async stop(): Promise<string[]> {
    const faults = await Promise.all(this.all.map((process) => process.finish()))
    await this.#drop()
    return faults.flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const faults = await this.stop()
    // Soft, because an exception would hide the failure of the test itself.
    this.#expect.soft(faults, 'processes that did not stop cleanly').toEqual([])
  }
}

let starting: Promise<unknown> = Promise.resolve()

/**
 * A new, migrated database, a new Redis prefix, and processes that are started and ready. Disposing stops them, and
 * fails if a process exited by itself or with another code than 0.
 *
 * Systems of one file start one after the other, because a start uses the whole machine: concurrent starts would be
 * so slow that processes give up.
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
  const databaseUrl = await createDatabase(server, postgresUrl, name, partitions)
  const { passwords } = options
  if (passwords)
    await migrate({
      databaseUrl,
      partitions,
      databasePasswords: passwords,
      redisPasswords: passwords,
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

/** For a test with its own system: its logs are shown when the test fails. */
export async function startOwnSystem(context: TestContext, options: SystemOptions = {}): Promise<System> {
  const system = await startSystem(options)
  system.belongTo(context)
  return system
}

/** One system for all tests of a file. Call it outside of tests, and the returned function inside. */
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
    expect(faults, 'processes that did not stop cleanly').toEqual([])
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

const numberBigint = { to: 20, from: [20], serialize: String, parse: Number }
