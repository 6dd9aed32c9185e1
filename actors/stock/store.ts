/** Stock's rows: the state that a batch of commands needs, and the parts of the commit that write its changes. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { Book, Hold } from './stock.ts'

export type Memory = {
  books: Map<string, Book>
  holds: Map<string, KnownHold>
  /** Commands that have already taken effect. */
  handled: Set<string>
}

/** The decision on a reservation, and its book. */
export type KnownHold = { bookid: string; hold: Hold }

/** Loads the books, holds and commands with these ids. Ids that Postgres does not have are absent from the result. */
export async function load(
  sql: Sql,
  bookids: string[],
  reservationids: string[],
  commandids: string[],
): Promise<Memory> {
  // One row of JSON: one round trip for three tables, and faster to parse than rows.
  const [found] = await sql<
    { books: Book[]; holds: (Hold & { reservationid: string; bookid: string })[]; commands: string[] }[]
  >`
    select
      (select coalesce(json_agg(b), '[]') from (
        select bookid, title, author, isbn, available, held, version, received, shortage,
          requested_at is not null as requested
        from book where bookid = any(${bookids}::text[])) b) as books,
      (select coalesce(json_agg(h), '[]') from (
        select reservationid, bookid, status, reason from hold where reservationid = any(${reservationids}::uuid[])) h) as holds,
      (select coalesce(json_agg(commandid), '[]') from command where commandid = any(${commandids}::uuid[])) as commands`
  const { books, holds, commands } = found!
  return {
    books: new Map(books.map((book) => [book.bookid, book])),
    holds: new Map(holds.map(({ reservationid, bookid, ...hold }) => [reservationid, { bookid, hold }])),
    handled: new Set(commands),
  }
}

export type BookRow = Book & { partition: number }
export type HoldRow = { partition: number; reservationid: string; bookid: string; userid: string; hold: Hold }
export type CommandRow = { partition: number; commandid: string; bookid: string }
export type OrderedRow = {
  partition: number
  purchaseid: string
  bookid: string
  qty: number
  received: boolean
}
export type ReceivedRow = { partition: number; purchaseid: string; bookid: string }

const counts = { bookid: 'text', available: 'bigint', held: 'bigint', version: 'bigint' } as const
const decision = {
  reservationid: 'uuid',
  status: ['text', (it: HoldRow) => it.hold.status],
  reason: ['text', ({ hold }: HoldRow) => (hold.status === 'refused' ? hold.reason : null)],
} as const

/** For books that may be new, or of which any column may have changed: after receipts, orders and refusals. */
export const upsertBooks = (sql: Sql, books: BookRow[]): Fragment => sql`
  upserted_books as (
    insert into book (bookid, title, author, isbn, available, held, version, received, shortage, requested_at)
    select bookid, title, author, isbn, available, held, version, received, shortage,
      case when requested then clock_timestamp() end
    from ${fencedRows(sql, books, {
      ...counts,
      title: 'text',
      author: 'text',
      isbn: 'text',
      received: 'bool',
      shortage: 'bigint',
      requested: 'bool',
    })} as b
    on conflict (bookid) do update set
      title = excluded.title, author = excluded.author, isbn = excluded.isbn, available = excluded.available,
      held = excluded.held, version = excluded.version, received = excluded.received, shortage = excluded.shortage,
      requested_at = case when excluded.requested_at is not null
        then coalesce(book.requested_at, excluded.requested_at) end
  )`

/** For books of which copies were only held or released, which is nearly all of them under load. */
export const updateCounts = (sql: Sql, books: BookRow[]): Fragment => sql`
  updated_counts as (
    update book set available = b.available, held = b.held, version = b.version
    from ${fencedRows(sql, books, counts)} as b
    where book.bookid = b.bookid
  )`

/** The commit fails if one of the reservations already has a hold. */
export const insertHolds = (sql: Sql, holds: HoldRow[]): Fragment => sql`
  inserted_holds as (
    insert into hold (reservationid, bookid, userid, status, reason)
    select reservationid, bookid, userid, status, reason
    from ${fencedRows(sql, holds, { ...decision, bookid: 'text', userid: 'text' })} as h
  )`

export const updateHolds = (sql: Sql, holds: HoldRow[]): Fragment => sql`
  updated_holds as (
    update hold set status = h.status, reason = h.reason
    from ${fencedRows(sql, holds, decision)} as h
    where hold.reservationid = h.reservationid
  )`

export const insertCommands = (sql: Sql, commands: CommandRow[]): Fragment => sql`
  inserted_commands as (
    insert into command (commandid, bookid)
    select commandid, bookid from ${fencedRows(sql, commands, { commandid: 'uuid', bookid: 'text' })} as c
    on conflict do nothing
  )`

export const insertPurchases = (sql: Sql, purchases: OrderedRow[]): Fragment => sql`
  inserted_purchases as (
    insert into purchase (purchaseid, bookid, qty, status, received_at)
    select purchaseid, bookid, qty, case when received then 'received' else 'ordered' end,
      case when received then clock_timestamp() end
    from ${fencedRows(sql, purchases, {
      purchaseid: 'uuid',
      bookid: 'text',
      qty: 'bigint',
      received: 'bool',
    })} as o
    on conflict do nothing
  )`

export const receivePurchases = (sql: Sql, purchases: ReceivedRow[]): Fragment => sql`
  received_purchases as (
    update purchase p set status = 'received', received_at = coalesce(p.received_at, clock_timestamp())
    from ${fencedRows(sql, purchases, { purchaseid: 'uuid', bookid: 'text' })} as r
    where p.purchaseid = r.purchaseid and p.bookid = r.bookid
  )`
