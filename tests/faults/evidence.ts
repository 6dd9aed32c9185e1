/** The final state of the stores: all relevant tables and all streams. */

import { type StockEvent, topics } from '../../actors/messages.ts'
import type { Status } from '../../actors/reservation/reservation.ts'
import type { ServiceName } from '../../platform/config.ts'
import { serviceNames } from '../../platform/config.ts'
import { streamKey } from '../../streams/partition.ts'
import { range } from '../doubles/eventually.ts'
import { type LedgerRow, readLedger } from './ledger.ts'
import { partitions, type World } from './world.ts'

export type ReservationRow = {
  reservationid: string
  bookid: string
  userid: string
  status: Status
  reason: string | null
  traceparent: string | null
  createdAt: Date
}
export type BookRow = {
  bookid: string
  title: string
  available: number
  held: number
  out: number
  waiting: number
  version: number
}
export type HoldRow = {
  reservationid: string
  bookid: string
  userid: string
  status: string
  reason: string | null
}
export type ClaimRow = {
  reservationid: string
  bookid: string
  kind: string
  place: number | null
  turn: number
}
export type QueueRow = { bookid: string; place: number; reservationid: string }
export type TallyRow = { bookid: string; chunk: number; waiting: number }
export type StandingRow = { userid: string; active: string[] }
export type LogRow = { partition: number; seq: number; id: string; time?: Date; event: StockEvent }
export type MailboxRow = { partition: number; position: string; seq: number; trimmed: number }
export type LetterRow = { partition: number; position: string; reason: string }
export type NoticeRow = {
  noticeid: string
  kind: string
  channel: string
  reservationid: string | null
  userid: string | null
  status: string
  /** When it was delivered. */
  sentAt: Date | null
}
export type Published = { seq: number; id: string }

export type Evidence = {
  reservations: ReservationRow[]
  list: BookRow[]
  books: BookRow[]
  holds: HoldRow[]
  claims: ClaimRow[]
  /** Reservations whose copies stock does not hand over. */
  blockedHolds: string[]
  /** Of the reservation service. */
  queue: QueueRow[]
  tally: TallyRow[]
  standings: StandingRow[]
  /** Empty without a limit of customers. */
  ledger: LedgerRow[]
  /** Those that had an effect. */
  commands: { commandid: string; bookid: string }[]
  purchases: { purchaseid: string; bookid: string; qty: number; status: string }[]
  log: LogRow[]
  mailboxes: Record<ServiceName, MailboxRow[]>
  letters: Record<ServiceName, LetterRow[]>
  notices: NoticeRow[]
  /** Entries of the event streams, by partition. */
  published: Published[][]
}

export async function gather(world: World): Promise<Evidence> {
  const { sql } = world
  return {
    // Read before the trimming points: owners go on trimming, and their trimming points only rise.
    published: await readStreams(world),
    reservations: await sql`
      select reservationid::text, bookid, userid, status, reason, traceparent, created_at as "createdAt"
      from reservation.reservation`,
    list: await sql`
      select bookid, title, available, held, "out", waiting, version from reservation.book order by bookid`,
    books: await sql`
      select bookid, title, available, held, "out", waiting, version from stock.book order by bookid`,
    holds: await sql`select reservationid::text, bookid, userid, status, reason from stock.hold`,
    claims: await sql`select reservationid::text, bookid, kind, place, turn from stock.claim`,
    blockedHolds: (await sql`select reservationid::text from stock.blocked_hold`).map(
      (it) => it.reservationid,
    ),
    queue: await sql`select bookid, place, reservationid::text from reservation.queue order by bookid, place`,
    tally: await sql`select bookid, chunk, waiting from reservation.queue_tally where waiting <> 0`,
    standings: await sql`select userid, to_json(active) as active from reservation.standing`,
    ledger: world.activeMax > 0 ? await readLedger(sql) : [],
    commands: await sql`select commandid::text, bookid from stock.command where refused is null`,
    purchases: await sql`select purchaseid::text, bookid, qty, status from stock.purchase`,
    log: await readLog(world),
    mailboxes: await byService(
      (service) => sql<MailboxRow[]>`
      select partition, position, seq, trimmed from ${sql(service)}.mailbox order by partition`,
    ),
    letters: await byService(
      (service) => sql<LetterRow[]>`
      select partition, position, reason from ${sql(service)}.dead_letter order by partition`,
    ),
    notices: await sql`
      select noticeid::text, kind, channel, reservationid::text, userid, status, sent_at as "sentAt"
      from notifier.notice`,
  }
}

async function readLog({ sql }: World): Promise<LogRow[]> {
  const rows = await sql<(Omit<LogRow, 'event'> & { type: string; data: string })[]>`
    select partition, seq, id, time, type, data::text as data from stock.event_log order by partition, seq`
  return rows.map(({ type, data, ...row }) => ({
    ...row,
    event: { ...JSON.parse(data), type } as StockEvent,
  }))
}

/** An entry holds the events of a commit; its id is the sequence of the last. */
async function readStreams({ admin, redisPrefix }: World): Promise<Published[][]> {
  return await Promise.all(
    range(partitions).map(async (partition) => {
      const rows = await admin.xrange(streamKey(redisPrefix, topics.stockEvents, partition), '-', '+')
      return rows.flatMap(([position, [, batch]]) => {
        const messages = JSON.parse(batch!) as { id: string }[]
        const first = Number.parseInt(position, 10) - messages.length + 1
        return messages.map(({ id }, index) => ({ seq: first + index, id }))
      })
    }),
  )
}

async function byService<Rows>(
  read: (service: ServiceName) => Promise<Rows>,
): Promise<Record<ServiceName, Rows>> {
  const entries = await Promise.all(
    serviceNames.map(async (service) => [service, await read(service)] as const),
  )
  return Object.fromEntries(entries) as Record<ServiceName, Rows>
}
