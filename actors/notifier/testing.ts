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
import type { ChannelName } from './channels/all.ts'
import type { PrintedNotice } from './console.ts'
import type { Contact } from './customers/customers.ts'
import type { Mark } from './delivery/queue.ts'
import { type NoticeHandlerOptions, noticeHandler } from './handler.ts'
import type { Alert, AlertDetails } from './plan/notice.ts'
import type { Party, Routing } from './plan/routing.ts'

const partitions = 4
/** Owns every partition unless a test changes that. */
export const worker = 'worker'
const absent: Party = { email: null, webhook: null, phone: null, channels: [] }
/** @param configured the channels that are open, besides the console. */
export const route = (configured: ChannelName[], some: Partial<Routing> = {}): Routing => ({
  configured: new Set(configured),
  customers: { channels: ['kakao', 'email', 'webhook', 'sms'], byKind: {} },
  purchaser: absent,
  operator: absent,
  locale: 'ko',
  timeZone: 'Asia/Seoul',
  ...some,
})
/** The console, and the webhooks of customers who have one. */
export const nobody = route(['webhook'])
/** One notice per event in the queue, besides the one on the console. */
export const chat = route(['webhook', 'chat'])
export const everybody = route(['email', 'webhook', 'sms', 'kakao', 'slack', 'chat'], {
  purchaser: { ...absent, email: 'purchaser@shop.example', channels: ['email', 'slack'] },
  operator: {
    ...absent,
    email: 'op@shop.example',
    phone: '+821012345678',
    channels: ['sms', 'email', 'slack'],
  },
})

/** By default: reservations of `test1` for the book `1`, of no particular version. */
const after = { bookid: '1', version: 1, available: 0, held: 1 }
type Answer = { reservationid: string; userid?: string; bookid?: string; first?: true }

export const reserved = (answer: Answer): StockEvent => ({
  type: 'CopyReserved',
  ...after,
  userid: 'test1',
  ...answer,
})
export const released = (answer: Answer): StockEvent => ({
  type: 'CopyReleased',
  ...after,
  userid: 'test1',
  ...answer,
})
export const refused = (answer: Answer): StockEvent => ({
  type: 'ReservationRefused',
  ...after,
  userid: 'test1',
  reason: 'OutOfStock',
  ...answer,
})
export const purchaseRequested = (shortage = 1, bookid = after.bookid, waiting?: number): StockEvent => ({
  type: 'PurchaseRequested',
  ...after,
  bookid,
  shortage,
  ...(waiting === undefined ? {} : { waiting }),
})

/** 18:00 on Monday in Seoul. */
export const monday = '2026-11-30T09:00:00.000Z'
/** Builders of the events of a reservation of a book with a queue and a hold shelf. */
export const queue = {
  queued: (answer: Answer, position = 3): StockEvent => ({
    type: 'ReservationQueued',
    ...after,
    userid: 'test1',
    place: 7,
    position,
    ...answer,
  }),
  served: (answer: Answer, turn?: number): StockEvent => ({
    type: 'CopyReserved',
    ...after,
    userid: 'test1',
    place: 7,
    waited: true,
    ...(turn && { turn }),
    ...answer,
  }),
  shelved: (answer: Answer, pickupBy: string | null = monday, turn?: number): StockEvent => ({
    type: 'CopyShelved',
    ...after,
    userid: 'test1',
    pickupBy,
    ...(turn && { turn }),
    ...answer,
  }),
  extended: (answer: Answer, pickupBy: string, turn?: number): StockEvent => ({
    type: 'PickupExtended',
    ...after,
    userid: 'test1',
    pickupBy,
    ...(turn && { turn }),
    ...answer,
  }),
  handedOver: (answer: Answer): StockEvent => ({
    type: 'CopyHandedOver',
    ...after,
    userid: 'test1',
    ...answer,
  }),
  returned: (answer: Answer): StockEvent => ({ type: 'CopyReturned', ...after, userid: 'test1', ...answer }),
  expired: (answer: Answer): StockEvent => ({ type: 'HoldExpired', ...after, userid: 'test1', ...answer }),
  takenBack: (answer: Answer, turn = 2): StockEvent => ({
    type: 'CopyTakenBack',
    ...after,
    userid: 'test1',
    place: 7,
    cause: 'Lost',
    turn,
    ...answer,
  }),
  lapsed: (answer: Answer): StockEvent => ({
    type: 'ReservationRefused',
    ...after,
    userid: 'test1',
    reason: 'WaitLapsed',
    place: 7,
    ...answer,
  }),
  canceled: (answer: Answer): StockEvent => ({
    type: 'CopyReleased',
    ...after,
    userid: 'test1',
    cause: 'Staff',
    note: 'We move.',
    ...answer,
  }),
}

export const declined = (bookid = after.bookid): StockEvent => ({
  type: 'PurchaseDeclined',
  ...after,
  bookid,
})

export const received = (
  title: string,
  { author = '', bookid = after.bookid, version = after.version } = {},
): StockEvent => ({
  type: 'CopiesReceived',
  ...after,
  bookid,
  version,
  qty: 1,
  title,
  author,
  isbn: '',
})

export const ordered = (bookid = after.bookid): StockEvent => ({
  type: 'CopiesOrdered',
  ...after,
  bookid,
  purchaseid: randomUUID(),
  qty: 1,
})

type CommitOptions = {
  routing?: Routing
  delayMs?: number
  gatherMs?: number
  fence?: boolean
  /** True: Postgres refused the batch before. */
  fresh?: boolean
  handler?: Handler<StockEvent>
}

export const alertFiring = (some: Partial<Alert> = {}): Alert => ({
  fingerprint: 'c6eadffa33fcdf37',
  status: 'firing',
  labels: { alertname: 'MailboxLags', severity: 'page' },
  annotations: { summary: 'stock is behind' },
  startsAt: '2026-03-14T09:26:53Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'https://prometheus.example/graph',
  ...some,
})

export const alertsOf = (alerts: Alert[]): AlertDetails => ({
  type: 'alerts',
  groupKey: '{}:{alertname="MailboxLags"}',
  externalURL: 'https://alertmanager.example',
  alerts,
  truncated: 0,
})

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
    { routing = chat, delayMs = 0, gatherMs = 0, fence = true, fresh = false, handler }: CommitOptions = {},
  ): Promise<PrintedNotice[]> {
    const printed: PrintedNotice[] = []
    const handling =
      handler ??
      this.handler({ routing, delays: { delayMs, gatherMs }, print: (notices) => printed.push(...notices) })
    const { writes, results, committed } = await handling.handle(batch, fresh)
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
