/** The parts that all services have in common: an id, connections to the stores, a worker, and an HTTP API. */
import { hostname } from 'node:os'
import { Incarnation } from '../streams/incarnation.ts'
import { lockTimeoutOf } from '../streams/lease.ts'
import type { Topic } from '../streams/partition.ts'
import {
  closePostgres,
  openPostgres,
  type PostgresOptions,
  requestTimeoutMs,
  type Sql,
} from '../streams/postgres.ts'
import type { Pulse } from '../streams/pulse.ts'
import { openRedis, type RedisClient } from '../streams/redis.ts'
import { Sender } from '../streams/sender.ts'
import { checkPartitions } from '../streams/setup.ts'
import { Worker, type WorkerOptions } from '../streams/worker.ts'
import { serviceNames } from './config.ts'
import { type About, type App, createApp } from './http/app.ts'
import { ready } from './http/health.ts'
import { openProbe, type Probe } from './http/probe.ts'
import { connectAll, openReads } from './http/reads.ts'
import { Audit, auditRetention } from './identity/audit.ts'
import { mountAudit } from './identity/audit-http.ts'
import type { Guard } from './identity/guard.ts'
import { openGuard } from './identity/open.ts'
import { streamsTelemetry } from './metrics.ts'
import { mountOperators, type OperatorsHttpOptions } from './operators/operators-http.ts'
import type { Service, Surroundings } from './service.ts'
import { StoreClock } from './store-clock.ts'
import { following, type MessageSender, sending } from './tracing/messages.ts'
import { StoreWatch } from './watch.ts'

/** A loop of a service. `run` resolves after `signal` is aborted. */
export type Loop = { pulse: Pulse; pulses?: Pulse[]; run(signal: AbortSignal): Promise<void> }

export class ServiceParts {
  /** Identifies the process in leases, logs and the client list of Redis. */
  readonly id = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
  readonly incarnation: Incarnation
  /** For the statements of requests. */
  readonly sql: Sql
  /** For the worker's statements. */
  readonly workerSql: Sql
  /** Absent while identity is off. */
  readonly audit: Audit | undefined
  readonly #given: Surroundings
  readonly #probe: Probe
  readonly #pools: Sql[] = []
  #clock!: StoreClock
  #guard: Guard | undefined
  #redis: RedisClient | undefined

  private constructor(given: Surroundings) {
    const { service, databaseUrl, redisPrefix, leaseTtlMs } = given.config
    this.#given = given
    this.incarnation = new Incarnation({ service, services: serviceNames, redisPrefix, log: given.log })
    this.sql = this.openSql({ max: 3, statementTimeoutMs: requestTimeoutMs })
    const { identity } = given.config
    this.audit = identity && new Audit(this.sql, identity.forwardedHops)
    this.workerSql = this.openSql({ max: 2, hot: true, lockTimeoutMs: lockTimeoutOf(leaseTtlMs) })
    this.#probe = openProbe(databaseUrl, service)
    this.#pools.push(this.#probe.sql)
  }

  /** @throws {SetupError} when the database was not migrated for this process. */
  static async open(given: Surroundings): Promise<ServiceParts> {
    const parts = new ServiceParts(given)
    await checkPartitions(parts.sql, given.config.partitions)
    parts.#clock = await StoreClock.open(parts.#probe.sql)
    parts.#guard = await openGuard(given.config.identity, parts.sql, given.log)
    return parts
  }

  /** The time by Postgres's clock. */
  get now(): () => Date {
    return this.#clock.now
  }

  /** Opens a pool of connections to the service's schema, which is closed with the service. */
  openSql(options: Omit<PostgresOptions, 'schema'>): Sql {
    const { databaseUrl, service } = this.#given.config
    const sql = openPostgres(databaseUrl, { schema: service, ...options })
    this.#pools.push(sql)
    return sql
  }

  /** Opens a pool for `Reads`, and connects it. */
  async openReads(max: number): Promise<Sql> {
    const { databaseUrl, service } = this.#given.config
    const reads = openReads(databaseUrl, service, max)
    this.#pools.push(reads)
    await connectAll(reads)
    return reads
  }

  /** Opens the service's own connection to Redis; the worker has another. */
  openRedis(): RedisClient {
    this.#redis = openRedis(this.#given.config.redisUrl, this.id)
    return this.#redis
  }

  /** @returns a sender of messages to the mailboxes of a topic. */
  sender(topic: Topic, redis: RedisClient): MessageSender {
    const { redisPrefix: prefix, partitions } = this.#given.config
    const { incarnation } = this
    return sending(this.#given.tracing, topic, new Sender({ redis, prefix, topic, partitions, incarnation }))
  }

  worker<Message>(
    own: Pick<WorkerOptions<Message>, 'topic' | 'handler' | 'eventLog' | 'gatherMs'>,
  ): Worker<Message> {
    const { log, metrics, tracing, config } = this.#given
    const { service, partitions, redisUrl, redisPrefix, leaseTtlMs, eventRetentionDays } = config
    return new Worker({
      service,
      id: this.id,
      partitions,
      incarnation: this.incarnation,
      sql: this.workerSql,
      redisUrl,
      redisPrefix,
      leaseTtlMs,
      eventRetentionDays,
      log,
      telemetry: streamsTelemetry(
        metrics,
        this.now,
        tracing && following(tracing, service, own.topic, own.eventLog?.topic),
      ),
      ...own,
    })
  }

  app(about: Omit<About, 'service'>): App {
    const { log, metrics, tracing, config } = this.#given
    const { service, publicUrl, corsOrigins } = config
    const guard = this.#guard
    const app = createApp({ service, publicUrl, corsOrigins, ...about, log, metrics, tracing, guard })
    mountAudit({ app, sql: this.sql, audit: this.audit })
    return app
  }

  mountOperators(
    app: App,
    own: Pick<OperatorsHttpOptions, 'reads' | 'redis' | 'topic' | 'backlogKinds' | 'readBacklog'>,
  ): void {
    const { service, redisPrefix: prefix } = this.#given.config
    mountOperators({ app, sql: this.sql, audit: this.audit, service, prefix, ...own })
  }

  /** The loop that watches the stores. @param readMetrics reads further metrics from Postgres. */
  watchStores(worker: { reachRedis(): Promise<unknown> }, readMetrics?: () => Promise<void>): Loop {
    const { log, metrics, config } = this.#given
    const { sql } = this
    return new StoreWatch({
      sql,
      worker,
      clock: this.#clock,
      partitions: config.partitions,
      metrics,
      log,
      readMetrics,
    })
  }

  /** Starts the loops. @param close closes what the service itself has opened, before the stores are closed. */
  start(app: App, own: Loop[], close?: () => Promise<void>): Service {
    const { config, log } = this.#given
    const { identity } = config
    const loops: Loop[] = identity ? [...own, auditRetention(this.sql, identity.auditDays, log)] : own
    return {
      app,
      pulses: () => loops.flatMap((it) => it.pulses ?? [it.pulse]),
      ready: () => ready(this.#probe, this.incarnation),
      loops: loops.map((it) => it.run(this.#given.signal)),
      close: async () => {
        await close?.()
        this.#redis?.disconnect()
        await Promise.all(this.#pools.map(closePostgres))
      },
    }
  }
}
