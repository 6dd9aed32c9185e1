/**
 * Stock's rows: what a batch of commands needs to know, and the parts of the commit that write what it decided.
 * Booleans travel as text: the driver takes an array of them for one boolean.
 */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { Book, Hold } from './stock.ts'

export type Memory = {
  books: Map<string, Book>
  holds: Map<string, KnownHold>
  /** Commands handled before. */
  handled: Set<string>
}

/** What is remembered of a reservation, and of which book. */
export type KnownHold = { bookid: string; hold: Hold }

/** Everything known of these books, reservations and commands. What is not in the maps was never heard of. */
export async function load(
  sql: Sql,
  bookids: string[],
  reservationids: string[],
  commandids: string[],
): Promise<Memory> {
  // One row of JSON: one journey for three tables, and parsed faster than rows.
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

/** Books of which copies arrived, or that were asked for in vain: anything may have changed, and they may be new. */
export const writeBooks = (sql: Sql, rows: BookRow[]): Fragment => sql`
  books as (
    insert into book (bookid, title, author, isbn, available, held, version, received, shortage, requested_at)
    select b.bookid, b.title, b.author, b.isbn, b.available, b.held, b.version, b.received::bool, b.shortage,
      case when b.requested::bool then clock_timestamp() end
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.bookid)}::text[],
      ${rows.map((it) => it.title)}::text[], ${rows.map((it) => it.author)}::text[], ${rows.map((it) => it.isbn)}::text[],
      ${rows.map((it) => it.available)}::bigint[], ${rows.map((it) => it.held)}::bigint[],
      ${rows.map((it) => it.version)}::bigint[], ${rows.map((it) => String(it.received))}::text[],
      ${rows.map((it) => it.shortage)}::bigint[], ${rows.map((it) => String(it.requested))}::text[]
    ) as b (partition, bookid, title, author, isbn, available, held, version, received, shortage, requested)
    where b.partition = any(array(select partition from fenced))
    on conflict (bookid) do update set
      title = excluded.title, author = excluded.author, isbn = excluded.isbn, available = excluded.available,
      held = excluded.held, version = excluded.version, received = excluded.received, shortage = excluded.shortage,
      requested_at = case when excluded.requested_at is not null
        then coalesce(book.requested_at, excluded.requested_at) end
  )`

/** Books of which copies were held or released and nothing else: what a rush does. */
export const countBooks = (sql: Sql, rows: BookRow[]): Fragment => sql`
  counts as (
    update book set available = b.available, held = b.held, version = b.version
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.bookid)}::text[],
      ${rows.map((it) => it.available)}::bigint[], ${rows.map((it) => it.held)}::bigint[],
      ${rows.map((it) => it.version)}::bigint[]
    ) as b (partition, bookid, available, held, version)
    where book.bookid = b.bookid and b.partition = any(array(select partition from fenced))
  )`

/** @throws in the commit, when there is a hold for one of the reservations already. */
export const beginHolds = (sql: Sql, rows: HoldRow[]): Fragment => sql`
  begun as (
    insert into hold (reservationid, bookid, userid, status, reason)
    select h.reservationid, h.bookid, h.userid, h.status, h.reason
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.reservationid)}::uuid[],
      ${rows.map((it) => it.bookid)}::text[], ${rows.map((it) => it.userid)}::text[],
      ${rows.map((it) => it.hold.status)}::text[],
      ${rows.map((it) => (it.hold.status === 'refused' ? it.hold.reason : null))}::text[]
    ) as h (partition, reservationid, bookid, userid, status, reason)
    where h.partition = any(array(select partition from fenced))
  )`

export const writeHolds = (sql: Sql, rows: HoldRow[]): Fragment => sql`
  holds as (
    update hold set status = h.status, reason = h.reason
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.reservationid)}::uuid[],
      ${rows.map((it) => it.hold.status)}::text[],
      ${rows.map((it) => (it.hold.status === 'refused' ? it.hold.reason : null))}::text[]
    ) as h (partition, reservationid, status, reason)
    where hold.reservationid = h.reservationid and h.partition = any(array(select partition from fenced))
  )`

export const writeCommands = (sql: Sql, rows: CommandRow[]): Fragment => sql`
  commands as (
    insert into command (commandid, bookid)
    select c.commandid, c.bookid
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.commandid)}::uuid[],
      ${rows.map((it) => it.bookid)}::text[]
    ) as c (partition, commandid, bookid)
    where c.partition = any(array(select partition from fenced))
    on conflict do nothing
  )`

export const writeOrdered = (sql: Sql, rows: OrderedRow[]): Fragment => sql`
  ordered as (
    insert into purchase (purchaseid, bookid, qty, status, received_at)
    select o.purchaseid, o.bookid, o.qty, case when o.received::bool then 'received' else 'ordered' end,
      case when o.received::bool then clock_timestamp() end
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.purchaseid)}::uuid[],
      ${rows.map((it) => it.bookid)}::text[], ${rows.map((it) => it.qty)}::bigint[],
      ${rows.map((it) => String(it.received))}::text[]
    ) as o (partition, purchaseid, bookid, qty, received)
    where o.partition = any(array(select partition from fenced))
    on conflict do nothing
  )`

export const writeReceived = (sql: Sql, rows: ReceivedRow[]): Fragment => sql`
  arrived as (
    update purchase p set status = 'received', received_at = coalesce(p.received_at, clock_timestamp())
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.purchaseid)}::uuid[],
      ${rows.map((it) => it.bookid)}::text[]
    ) as r (partition, purchaseid, bookid)
    where p.purchaseid = r.purchaseid and p.bookid = r.bookid and r.partition = any(array(select partition from fenced))
  )`
