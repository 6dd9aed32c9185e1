/** Stock's rows: the state that a batch of commands needs, and the parts of the commit that write its changes. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows, rows } from '../../streams/rows.ts'
import type { CommandRefusal, StockRefusalReason } from '../messages.ts'
import type { Book } from './book.ts'
import type { Hold } from './hold.ts'

export type Memory = {
  books: Map<string, Book>
  holds: Map<string, KnownHold>
  /** Of the reservations whose copies are handed over: those of blocked customers. */
  blocked: Set<string>
  /** Commands that have already taken effect. */
  handled: Set<string>
}

/** The decision on a reservation, its book and customer. `claimed` if it has a row in `claim`. */
type KnownHold = { bookid: string; userid: string; hold: Hold; claimed: boolean }

export const emptyMemory = (): Memory => ({
  books: new Map(),
  holds: new Map(),
  blocked: new Set(),
  handled: new Set(),
})

type FoundHold = {
  reservationid: string
  bookid: string
  userid: string
  status: Hold['status']
  reason: StockRefusalReason | null
  claimed: boolean
  place: number | null
  turn: number | null
  pickup_by: string | null
  lapses_at: string | null
}

/** Ids of what a batch needs. */
type Needed = { books: string[]; reservations: string[]; handOvers: string[]; commands: string[] }

/** Ids that Postgres does not have are absent from the result. */
export async function load(sql: Sql, needed: Needed): Promise<Memory> {
  const { handOvers } = needed
  const blockedOnes = sql`(
    select coalesce(json_agg(reservationid), '[]') from blocked_hold
    where reservationid = any(${handOvers}::uuid[]) and coalesce(until > now(), true))`
  // One row of JSON: one round trip for all tables, and faster to parse than rows.
  const [found] = await sql<{ books: Book[]; holds: FoundHold[]; blocked: string[]; commands: string[] }[]>`
    select
      (select coalesce(json_agg(b), '[]') from (
        select bookid, title, author, isbn, available, held, out, waiting, last_place as "lastPlace",
          ${onOrder(sql)} as "onOrder", rules, version, received, shortage, requested_at is not null as requested
        from book b where bookid = any(${needed.books}::text[])) b) as books,
      (select coalesce(json_agg(h), '[]') from (
        select h.reservationid, h.bookid, h.userid, h.status, h.reason, c.reservationid is not null as claimed,
          c.place, c.turn, c.pickup_by, c.lapses_at
        from hold h left join claim c on c.reservationid = h.reservationid
        where h.reservationid = any(${needed.reservations}::uuid[])) h) as holds,
      ${handOvers.length > 0 ? blockedOnes : sql`'[]'::json`} as blocked,
      (select coalesce(json_agg(commandid), '[]') from command
        where commandid = any(${needed.commands}::uuid[])) as commands`
  const { books, holds, blocked, commands } = found!
  return {
    books: new Map(books.map((book) => [book.bookid, book])),
    holds: new Map(holds.map((it) => [it.reservationid, knownHold(it)])),
    blocked: new Set(blocked),
    handled: new Set(commands),
  }
}

/** Of a book `b`: copies that are ordered, and not yet received. Versions that did not count them kept only the purchases. */
export const onOrder = (sql: Sql): Fragment => sql`
  case when b.orders_counted then b.on_order else greatest(b.on_order, (
    select coalesce(sum(p.qty), 0) from purchase p where p.bookid = b.bookid and p.status = 'ordered'
  ))::bigint end`

const knownHold = (it: FoundHold): KnownHold => ({
  bookid: it.bookid,
  userid: it.userid,
  claimed: it.claimed,
  hold: holdOf(it),
})

function holdOf({ status, reason, place, turn, pickup_by, lapses_at }: FoundHold): Hold {
  const queued = place === null ? {} : { place, turn: turn! }
  switch (status) {
    case 'waiting':
      return { status, place: place!, turn: turn!, lapsesAt: lapses_at && toIso(lapses_at) }
    case 'held':
      return { status, ...queued }
    case 'ready':
      return { status, ...queued, pickupBy: pickup_by && toIso(pickup_by) }
    case 'refused':
      return { status, reason: reason! }
    default:
      return { status }
  }
}

const toIso = (timestamp: string) => new Date(timestamp).toISOString()

/** How many claims of a book are needed. */
export type Wanted = { bookid: string; limit: number }
export type Customer = { bookid: string; userid: string }
export type Claim = Customer & {
  reservationid: string
  kind: 'waiting' | 'held' | 'ready' | 'out'
  place: number | null
  turn: number
  pickup_by: string | null
  lapses_at: string | null
}
export type Claims = {
  /** The heads of queues, lowest place first. */
  queues: Claim[]
  /** Copies set aside: those to take back first come first. */
  heldLast: Claim[]
  /** All claims of the customers. */
  ofCustomers: Claim[]
}

/** Claims of books with rules, from one snapshot. */
export async function loadClaims(
  sql: Sql,
  queues: Wanted[],
  heldLast: Wanted[],
  customers: Customer[],
): Promise<Claims> {
  const shown = sql`reservationid, c.bookid, c.userid, kind, place, turn, pickup_by, lapses_at`
  const wanted = { bookid: 'text', count: ['int', (it: Wanted) => it.limit] } as const
  const [found] = await sql<Claims[]>`
    select
      (select coalesce(json_agg(q), '[]') from ${rows(sql, queues, wanted)} as w cross join lateral (
        select ${shown} from claim c where c.bookid = w.bookid and kind = 'waiting' order by place limit w.count
      ) q) as queues,
      (select coalesce(json_agg(h), '[]') from ${rows(sql, heldLast, wanted)} as w cross join lateral (
        select ${shown} from claim c where c.bookid = w.bookid and kind in ('held', 'ready')
        order by kind, place desc nulls last limit w.count
      ) h) as "heldLast",
      (select coalesce(json_agg(u), '[]') from (
        select ${shown} from claim c
        join ${rows(sql, customers, { bookid: 'text', userid: 'text' })} as w
          on c.bookid = w.bookid and c.userid = w.userid
      ) u) as "ofCustomers"`
  return found!
}

export const holdOfClaim = ({ kind, ...claim }: Claim): KnownHold => ({
  bookid: claim.bookid,
  userid: claim.userid,
  claimed: true,
  hold: holdOf({ ...claim, status: kind === 'out' ? 'collected' : kind, reason: null, claimed: true }),
})

export type BookRow = Book & { partition: number }
export type HoldRow = { partition: number; reservationid: string; bookid: string; userid: string; hold: Hold }
export type ClaimRow = HoldRow & { kind: Claim['kind'] }
export type EndedRow = { partition: number; reservationid: string }
export type UntendedRow = { partition: number; bookid: string }
export type CommandRow = {
  partition: number
  commandid: string
  bookid: string
  refused: CommandRefusal | null
}
const counts = { bookid: 'text', available: 'bigint', held: 'bigint', version: 'bigint' } as const
const decision = {
  reservationid: 'uuid',
  status: ['text', (it: HoldRow) => it.hold.status],
  reason: ['text', ({ hold }: HoldRow) => (hold.status === 'refused' ? hold.reason : null)],
} as const

/** For books that may be new, or of which any column may have changed: after receipts, orders and refusals. */
export const upsertBooks = (sql: Sql, books: BookRow[]): Fragment => sql`
  upserted_books as (
    insert into book (bookid, title, author, isbn, available, held, out, waiting, last_place, on_order, orders_counted,
      rules, version, received, shortage, requested_at)
    select bookid, title, author, isbn, available, held, out, waiting, last_place, on_order, true,
      rules::jsonb, version, received, shortage, case when requested then clock_timestamp() end
    from ${fencedRows(sql, books, {
      ...counts,
      out: 'bigint',
      waiting: 'bigint',
      last_place: ['bigint', (it) => it.lastPlace],
      on_order: ['bigint', (it) => it.onOrder],
      rules: ['text', (it) => it.rules && JSON.stringify(it.rules)],
      title: 'text',
      author: 'text',
      isbn: 'text',
      received: 'bool',
      shortage: 'bigint',
      requested: 'bool',
    })} as b
    on conflict (bookid) do update set
      title = excluded.title, author = excluded.author, isbn = excluded.isbn, available = excluded.available,
      held = excluded.held, out = excluded.out, waiting = excluded.waiting, last_place = excluded.last_place,
      on_order = excluded.on_order, orders_counted = true, rules = excluded.rules, version = excluded.version,
      received = excluded.received, shortage = excluded.shortage,
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

export const upsertClaims = (sql: Sql, claims: ClaimRow[]): Fragment => sql`
  upserted_claims as (
    insert into claim (reservationid, bookid, partition, userid, kind, place, turn, pickup_by, lapses_at, since)
    select reservationid, bookid, partition, userid, kind, place, turn, pickup_by::timestamptz, lapses_at::timestamptz,
      clock_timestamp()
    from ${fencedRows(sql, claims, {
      reservationid: 'uuid',
      bookid: 'text',
      userid: 'text',
      kind: 'text',
      place: ['bigint', ({ hold }) => ('place' in hold ? hold.place : null) ?? null],
      turn: ['int', ({ hold }) => ('turn' in hold ? hold.turn : 1) ?? 1],
      pickup_by: ['text', ({ hold }) => ('pickupBy' in hold ? hold.pickupBy : null)],
      lapses_at: ['text', ({ hold }) => ('lapsesAt' in hold ? hold.lapsesAt : null)],
    })} as c
    on conflict (reservationid) do update set
      kind = excluded.kind, place = excluded.place, turn = excluded.turn,
      pickup_by = excluded.pickup_by, lapses_at = excluded.lapses_at, asked_at = null,
      since = case when claim.kind = excluded.kind then claim.since else excluded.since end
  )`

export const deleteClaims = (sql: Sql, ended: EndedRow[]): Fragment => sql`
  deleted_claims as (
    delete from claim c using ${fencedRows(sql, ended, { reservationid: 'uuid' })} as e
    where c.reservationid = e.reservationid
  )`

/** Removes the names of customers from holds that are over. */
export const forgetHolds = (sql: Sql, forgotten: EndedRow[]): Fragment => sql`
  forgotten_holds as (
    update hold set userid = '' from ${fencedRows(sql, forgotten, { reservationid: 'uuid' })} as f
    where hold.reservationid = f.reservationid
  )`

export const insertUntended = (sql: Sql, books: UntendedRow[]): Fragment => sql`
  inserted_untended as (
    insert into untended (bookid, partition, asked_at)
    select bookid, partition, clock_timestamp() from ${fencedRows(sql, books, { bookid: 'text' })} as u
    on conflict (bookid) do update set asked_at = excluded.asked_at
  )`

export const deleteUntended = (sql: Sql, books: UntendedRow[]): Fragment => sql`
  deleted_untended as (
    delete from untended u using ${fencedRows(sql, books, { bookid: 'text' })} as b where u.bookid = b.bookid
  )`

export const insertCommands = (sql: Sql, commands: CommandRow[]): Fragment => sql`
  inserted_commands as (
    insert into command (commandid, bookid, refused)
    select commandid, bookid, refused
    from ${fencedRows(sql, commands, { commandid: 'uuid', bookid: 'text', refused: 'text' })} as c
    on conflict do nothing
  )`
