/**
 * A runtime for one test: a database, streams of its own, and a service that counts (`counter.ts`).
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import postgres from 'postgres'
import { inject } from 'vitest'
import { type Committed, commit } from '../commit.ts'
import { entriesOf } from '../entry.ts'
import { type Envelope, toFields } from '../envelope.ts'
import { inBatches } from '../event-batch.ts'
import { EventLog } from '../event-log.ts'
import { Incarnation, incarnationsKey } from '../incarnation.ts'
import { type Cursor, defineMailboxScripts } from '../mailbox.ts'
import { partitionOf, streamKey, type Topic } from '../partition.ts'
import { closePostgres, openPostgres, type Sql } from '../postgres.ts'
import { openRedis, type RedisClient, untilReady } from '../redis.ts'
import { Sender } from '../sender.ts'
import { counter, envelopeOf } from './counter.ts'
import { neverRestored } from './never-restored.ts'
import { RunningWorker, type WorkerOverrides } from './running-worker.ts'

export const mailbox: Topic = { owner: 'counter', name: 'mailbox', consumers: ['counter'] }
export const events: Topic = { owner: 'counter', name: 'events', consumers: ['reader'] }

const tables = `create table if not exists tally (
  n bigserial primary key, partition int not null, position text not null, value int not null, worker text not null)`

export type Tallied = { partition: number; position: string; value: number; worker: string }
export type MailboxRow = {
  partition: number
  position: string
  processed: number
  seq: number
  trimmed: number
  epoch: number
  owner: string | null
}

export type RuntimeOptions = {
  partitions?: number
  redisUrl?: string
  /** Of the database. */
  encoding?: 'UTF8' | 'LATIN1'
  /** Files that are applied. */
  migrations?: string[]
}

/** Databases of this process that no test uses now. A new one takes Postgres as long as a whole test; they go with the server. */
const idle: Record<string, string[]> = { UTF8: [], LATIN1: [] }

/** Fresh tables and a fresh prefix, which the next test does not see. */
export async function openRuntime({
  partitions = 4,
  redisUrl = inject('redisUrl'),
  encoding = 'UTF8',
  migrations = allMigrations,
}: RuntimeOptions = {}): Promise<Runtime> {
  const url = new URL(inject('postgresUrl'))
  url.pathname = idle[encoding]!.pop() ?? (await createDatabase(url.href, encoding))
  const admin = postgres(url.href, { max: 1, onnotice: () => {} })
  // Connections that an earlier test has left open must not write to the new tables.
  await admin`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  await admin.unsafe('drop schema if exists counter cascade; create schema counter authorization counter')
  await admin.end()
  await applyMigrations(url.href, migrations, partitions)
  const redis = openRedis(redisUrl, url.pathname.slice(1))
  await untilReady(redis)
  const free = () => void idle[encoding]!.push(url.pathname.slice(1))
  return new Runtime({ postgresUrl: url.href, redisUrl, redis, partitions, free })
}

async function createDatabase(serverUrl: string, encoding: string): Promise<string> {
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} })
  const name = `counter_${randomBytes(5).toString('hex')}`
  await server.unsafe(
    `create database ${name} encoding '${encoding}' locale_provider libc locale 'C' template template0`,
  )
  // Another test may create the role at the same time.
  await server.unsafe(`do $$ begin create role counter nologin;
    exception when duplicate_object or unique_violation then null; end $$`)
  await server.end()
  return name
}

/** For the runtime's tables, in order. */
export const allMigrations = [
  '0001-mailbox.sql',
  'event-log/0002-event-log.sql',
  '0003-incarnation.sql',
  'event-log/0004-event-batch.sql',
  '0005-dead-letter.sql',
]

export async function applyMigrations(url: string, files: string[], partitions: number): Promise<void> {
  const sql = openPostgres(url, { schema: 'counter', max: 1, partitions })
  for (const file of files)
    await sql.unsafe(await readFile(new URL(`../migrations/${file}`, import.meta.url), 'utf8')).simple()
  await sql.unsafe(tables)
  await closePostgres(sql)
}

type Made = {
  postgresUrl: string
  redisUrl: string
  redis: RedisClient
  partitions: number
  /** Gives its database to the next test. */
  free(): void
}

export class Runtime implements AsyncDisposable {
  readonly postgresUrl: string
  readonly redisUrl: string
  readonly prefix = `t${randomBytes(5).toString('hex')}`
  readonly redis: RedisClient
  readonly sql: Sql
  readonly eventLog: EventLog
  readonly workers: RunningWorker[] = []
  readonly #made: Made
  readonly #sender: Sender
  #reported = Promise.withResolvers<void>()

  constructor(made: Made) {
    this.#made = made
    this.postgresUrl = made.postgresUrl
    this.redisUrl = made.redisUrl
    this.redis = made.redis
    defineMailboxScripts(this.redis)
    this.#sender = senderOf(this, made.partitions)
    this.sql = openPostgres(this.postgresUrl, { schema: 'counter', max: 4, hot: true })
    this.eventLog = this.#openEventLog(this.sql, this.redis, this.incarnation())
  }

  readonly key = (partition: number): string => streamKey(this.prefix, mailbox, partition)

  /** A subject that belongs to the partition. */
  subject(partition: number): string {
    const names = range(1_000).map((n) => `key-${n}`)
    return names.find((name) => partitionOf(name, this.#made.partitions) === partition)!
  }

  cursor(partition: number, at: Partial<Cursor> = {}): Cursor {
    const start = { consumer: 'c', position: '0-0', processed: 0 }
    return { key: this.key(partition), group: 'counter', ...start, ...at }
  }

  /** @returns the messages' positions. */
  post(partition: number, ...values: (string | number)[]): Promise<string[]> {
    return Promise.all(
      values.map(async (value) => {
        const fields = toFields([
          envelopeOf(randomUUID(), 'Count', this.subject(partition), { value: String(value) }),
        ])
        return (await this.redis.xadd(this.key(partition), '*', ...fields))!
      }),
    )
  }

  /** Sends the messages together, as services do. Once the partition has an owner, they share entries. */
  async send(partition: number, ...values: (string | number)[]): Promise<void> {
    const subject = this.subject(partition)
    const sent = values.map((value) =>
      this.#sender.send(envelopeOf(randomUUID(), 'Count', subject, { value: String(value) })),
    )
    await Promise.all(sent)
  }

  /** Everything counted, in the order of the commits. */
  tally(): Promise<Tallied[]> {
    return this.sql<Tallied[]>`select partition, position, value, worker from tally order by n`
  }

  async values(partition?: number): Promise<number[]> {
    const rows = await this.tally()
    return rows.filter((it) => partition === undefined || it.partition === partition).map((it) => it.value)
  }

  async mailbox(partition: number): Promise<MailboxRow> {
    const [row] = await this.sql<MailboxRow[]>`
      select partition, position, processed, seq, trimmed, epoch, owner from mailbox where partition = ${partition}`
    return row!
  }

  /** Commits `count` events to a partition's log, without publishing them. */
  async logEvents(partition: number, count: number): Promise<Committed> {
    const { position, epoch, seq } = await this.mailbox(partition)
    const subject = this.subject(partition)
    const counted = range(count, seq + 1).map((value) => ({
      partition,
      event: { id: `${partition}/${value}`, type: 'Counted', subject, data: { value } },
    }))
    const advances = [{ partition, epoch, from: position, to: position, count: 0, seq }]
    const nothing = { letters: [], redriven: [], writes: [], results: undefined }
    return await commit(this.sql, { advances, events: inBatches(counted, advances), ...nothing })
  }

  /** Starts a worker. `before` is awaited before each batch. */
  worker(overrides: WorkerOverrides = {}): RunningWorker {
    const { postgresUrl = this.postgresUrl, before, ...others } = overrides
    const id = others.id ?? `worker-${this.workers.length + 1}`
    const sql = openPostgres(postgresUrl, { schema: 'counter', max: 4, hot: true })
    const redis = openRedis(others.redisUrl ?? this.redisUrl, `${id}-events`)
    const incarnation = this.incarnation((text) => worker.said.push(text))
    const worker: RunningWorker = new RunningWorker(
      {
        service: 'counter',
        id,
        topic: mailbox,
        partitions: this.#made.partitions,
        eventLog: this.#openEventLog(sql, redis, incarnation),
        incarnation,
        handler: counter(sql, id, before),
        sql,
        redisUrl: this.redisUrl,
        redisPrefix: this.prefix,
        leaseTtlMs: 2_000,
        eventRetentionDays: 90,
        ...others,
      },
      () => this.#report(),
      () => {
        redis.disconnect()
        return sql.end({ timeout: 0 })
      },
    )
    this.workers.push(worker)
    return worker
  }

  /** Probes now, and again whenever a worker reports something, until the probe returns something truthy. */
  async until<T>(probe: () => T | Promise<T>, timeoutMs = 15_000): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const late = new Promise<never>((_, reject) => {
      deadline.onabort = () => reject(new Error(`Not true after ${timeoutMs} ms: ${probe}\n${this.#story()}`))
    })
    late.catch(() => {})
    for (;;) {
      const stirred = this.#reported.promise
      const result = await Promise.race([probe(), late])
      if (result) return result
      await Promise.race([stirred, late])
    }
  }

  /** The ids and numbers in a partition's event stream. */
  async published(partition: number): Promise<{ id: string; value: number }[]> {
    const entries = await this.redis.xrange(this.eventLog.key(partition), '-', '+')
    return entriesOf(entries, '0-0', true).map(({ position, message }) => ({
      id: position,
      value: Number((message as Envelope).data.value),
    }))
  }

  untilCounted(count: number, timeoutMs?: number): Promise<boolean> {
    return this.until(async () => (await this.tally()).length >= count, timeoutMs)
  }

  /** The last log lines of the workers, for a failed test. */
  #story(): string {
    return this.workers.flatMap((it) => it.said.slice(-10).map((line) => `${it.id}: ${line}`)).join('\n')
  }

  #report(): void {
    this.#reported.resolve()
    this.#reported = Promise.withResolvers<void>()
  }

  /** As of another process. @param said is called with each log line. */
  incarnation(said: (text: string) => void = () => {}): Incarnation {
    const log = {
      error: (_: object, text: string) => {
        said(text)
        this.#report()
      },
    }
    return new Incarnation({ service: 'counter', services: ['counter'], redisPrefix: this.prefix, log })
  }

  #openEventLog(sql: Sql, redis: RedisClient, incarnation: Incarnation): EventLog {
    return new EventLog({ sql, redis, prefix: this.prefix, topic: events, source: '/counter', incarnation })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((it) => it[Symbol.asyncDispose]()))
    const { partitions, free } = this.#made
    for (let partition = 0; partition < partitions; partition++) {
      const keys = [this.key(partition), this.eventLog.key(partition)]
      await this.redis.unlink(...keys).catch(() => {})
    }
    await this.redis.unlink(incarnationsKey(this.prefix)).catch(() => {})
    this.redis.disconnect()
    await closePostgres(this.sql)
    free()
  }
}

export const senderOf = ({ redis, prefix }: Pick<Runtime, 'redis' | 'prefix'>, partitions: number): Sender =>
  new Sender({ redis, prefix, topic: mailbox, partitions, incarnation: neverRestored })

export const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)
