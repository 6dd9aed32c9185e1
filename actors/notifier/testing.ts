/** A notifier's database for one test, with ways to commit stock's events to it. */

import { randomBytes, randomUUID } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { commit } from '../../streams/commit.ts'
import type { Delivery, Handler } from '../../streams/handler.ts'
import { partitionOf } from '../../streams/partition.ts'
import { closePostgres, openPostgres, type Sql } from '../../streams/postgres.ts'
import { createDatabase } from '../../tests/harness/database.ts'
import { parseStockEvent, type StockEvent } from '../messages.ts'
import type { PrintedNotice } from './console.ts'
import type { Contact } from './customers/customers.ts'
import type { Mark } from './delivery/queue.ts'
import { type NoticeHandlerOptions, noticeHandler } from './handler.ts'
import type { Routing } from './plan/routing.ts'
import { chat } from './plan/testing.ts'

const partitions = 4
/** Owns every partition unless a test changes that. */
export const worker = 'worker'
type CommitOptions = {
  routing?: Routing
  delayMs?: number
  gatherMs?: number
  fence?: boolean
  /** True: Postgres refused the batch before. */
  afterRefusal?: boolean
  handler?: Handler<StockEvent>
}

/** The result of a claimed notice. */
export const mark = (
  it: { seq: number; attempts: number },
  outcome: Mark['outcome'],
  some: Partial<Mark> = {},
): Mark => ({
  seq: it.seq,
  attempts: it.attempts,
  channel: 'chat',
  outcome,
  next: null,
  error: outcome === 'sent' ? null : 'because',
  answer: null,
  afterMs: 0,
  ...some,
})

/** A customer's contact; fields are null by default. */
export const contact = (some: Partial<Contact>): Contact => ({
  email: null,
  webhook: null,
  phone: null,
  locale: 'en',
  channels: null,
  ...some,
})

export class NotifierDatabase implements AsyncDisposable {
  readonly sql: Sql
  /** Statements of an administrator, in the notifier's schema. */
  readonly #server: postgres.Sql
  readonly #name: string
  readonly url: string

  private constructor(server: postgres.Sql, name: string, url: string, sql: Sql) {
    this.#server = server
    this.#name = name
    this.url = url
    this.sql = sql
  }

  static async create({ connections = 4 } = {}): Promise<NotifierDatabase> {
    const serverUrl = inject('postgresUrl')
    const server = postgres(serverUrl, { max: 1, onnotice: () => {} })
    const name = `notifier-${randomBytes(5).toString('hex')}`
    const url = await createDatabase(server, serverUrl, name, partitions)
    const owner = postgres(url, { max: 1, onnotice: () => {} })
    await owner`update notifier.mailbox set owner = ${worker}, lease_until = 'infinity'`
    await owner.end()
    const sql = openPostgres(url, { schema: 'notifier', max: connections, hot: true })
    return new NotifierDatabase(server, name, url, sql)
  }

  handler(options: Partial<NoticeHandlerOptions>): Handler<StockEvent> {
    const defaults = {
      sql: this.sql,
      worker,
      leaseMarginMs: 0,
      routing: chat,
      delays: { delayMs: 0, gatherMs: 0 },
      onCommitted() {},
      print() {},
    }
    return noticeHandler({ ...defaults, ...options })
  }

  /**
   * Commits events in one batch, as the worker does.
   * @param fence false: another owner has taken the partitions, and we do not know it yet.
   * @returns what was printed.
   */
  commit(events: StockEvent[], options?: CommitOptions): Promise<PrintedNotice[]> {
    return this.commitDeliveries(events.map(deliveryOf), options)
  }

  async commitDeliveries(
    batch: Delivery<StockEvent>[],
    {
      routing = chat,
      delayMs = 0,
      gatherMs = 0,
      fence = true,
      afterRefusal = false,
      handler,
    }: CommitOptions = {},
  ): Promise<PrintedNotice[]> {
    const printed: PrintedNotice[] = []
    const handling =
      handler ??
      this.handler({ routing, delays: { delayMs, gatherMs }, print: (notices) => printed.push(...notices) })
    const { writes, results, committed } = await handling.handle(batch, afterRefusal)
    const epoch = fence ? 0 : -1
    const advances = [...new Set(batch.map((it) => it.partition))].map((partition) => ({
      partition,
      epoch,
      from: '0-0',
      to: '0-0',
      count: 0,
      seq: 0,
    }))
    const done = await commit(this.sql, { advances, events: [], letters: [], redriven: [], writes, results })
    committed?.(done.partitions, done.results)
    return printed
  }

  /** Every notice that went through the queue. */
  async notices(): Promise<
    {
      noticeid: string
      kind: string
      channel: string
      status: string
      attempts: number
      bookid: string | null
      shortage: number | null
      last_error: string | null
    }[]
  > {
    return await this
      .sql`select noticeid, kind, channel, status, attempts, bookid, shortage, last_error from notice
      where channel <> 'console' order by seq`
  }

  /** `kind channel status` of each notice. */
  async summary(): Promise<string[]> {
    return (await this.notices()).map((it) => `${it.kind} ${it.channel} ${it.status}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closePostgres(this.sql)
    await this.#server`drop database if exists ${this.#server(this.#name)} with (force)`
    await this.#server.end({ timeout: 1 })
  }
}

export function deliveryOf(event: StockEvent): Delivery<StockEvent> {
  const envelope = envelopeOf(event)
  const partition = partitionOf(envelope.subject, partitions)
  return { partition, position: '1-0', envelope, message: parseStockEvent(envelope) }
}

function envelopeOf({ type, bookid, ...data }: StockEvent) {
  const time = new Date().toISOString()
  const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`
  return {
    specversion: '1.0' as const,
    id: randomUUID(),
    source: '/stock',
    type,
    subject: bookid,
    time,
    traceparent,
    data,
  }
}

/** Counts the outcomes that dispatchers report. */
export class Tally {
  readonly #counts = new Map<string, number>()
  #changed = Promise.withResolvers<void>()

  readonly count = (outcome: string, notices: number): void => {
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + notices)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  async until(outcome: string, notices: number): Promise<void> {
    while ((this.#counts.get(outcome) ?? 0) < notices) await this.#changed.promise
  }
}
