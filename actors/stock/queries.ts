/** Queries of the HTTP API. Lists are asked for one row more than a page holds, to see whether another page follows. */
import { perEntryMax } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { StockEvent } from '../messages.ts'
import type { Book } from './book.ts'
import { onOrder } from './store.ts'

export type StockRow = Pick<
  Book,
  'bookid' | 'title' | 'author' | 'isbn' | 'available' | 'held' | 'out' | 'waiting' | 'rules' | 'version'
> & { on_order: number }

const shown = (sql: Sql) =>
  sql`bookid, title, author, isbn, available, held, out, waiting, ${onOrder(sql)} as on_order, rules, version`

export async function stock(sql: Sql, bookid: string): Promise<StockRow | undefined> {
  const [row] = await sql<StockRow[]>`
    select ${shown(sql)} from book b where bookid = ${bookid} and received`
  return row
}

export const stocks = (sql: Sql, limit: number, after = ''): Promise<StockRow[]> => sql<StockRow[]>`
  select ${shown(sql)} from book b
  where received and bookid > ${after} order by bookid limit ${limit}`

export type MovementRow = {
  seq: number
  id: string
  type: StockEvent['type']
  time: Date
  data: Record<string, unknown>
  authtype: string | null
  authid: string | null
}

/** Newest first: a book's events are in one partition, so their sequence is their order. @param before a sequence. */
export const movements = (sql: Sql, bookid: string, limit: number, before = Number.MAX_SAFE_INTEGER) => sql<
  MovementRow[]
>`
  select b.first + e.n - 1 as seq, e.event->>'id' as id, e.event->>'type' as type, b.time, e.event->'data' as data,
    e.event->>'authtype' as authtype, e.event->>'authid' as authid
  from event_subject s
  join event_batch b on b.partition = s.partition and b.seq = s.seq
  cross join lateral (
    select event, n from json_array_elements(b.events::json) with ordinality as e (event, n)
    where event->>'subject' = s.subject and b.first + n - 1 < ${before}::bigint
  ) as e
  where s.subject = ${bookid} and s.seq < ${before}::bigint + ${perEntryMax}::bigint
  order by s.seq desc, e.n desc limit ${limit}`

export type RequestRow = Pick<
  Book,
  'bookid' | 'title' | 'author' | 'isbn' | 'shortage' | 'waiting' | 'rules'
> & {
  owned: number
  on_order: number
  requested_at: Date
}

export const requests = (sql: Sql, limit: number, after = ''): Promise<RequestRow[]> => sql<RequestRow[]>`
  select bookid, title, author, isbn, shortage, available + held + out as owned, waiting, on_order, rules, requested_at
  from book
  where requested_at is not null and bookid > ${after} order by bookid limit ${limit}`

/** As they are stored; answers show them capitalized. */
export const purchaseStatuses = ['ordered', 'received'] as const

export type PurchaseRow = {
  purchaseid: string
  bookid: string
  title: string
  qty: number
  status: (typeof purchaseStatuses)[number]
  ordered_at: Date
  received_at: Date | null
}

/** A book that was never here may have no row. */
const shownPurchase = (sql: Sql) => sql`
  purchaseid, bookid, qty, status, ordered_at, received_at,
  coalesce((select title from book where book.bookid = purchase.bookid), '') as title`

export async function purchase(sql: Sql, purchaseid: string): Promise<PurchaseRow | undefined> {
  const [row] = await sql<PurchaseRow[]>`
    select ${shownPurchase(sql)} from purchase where purchaseid = ${purchaseid}`
  return row
}

/** Newest first: purchase ids increase with time. */
export const purchases = (
  sql: Sql,
  limit: number,
  bookid: string | undefined,
  before: string | undefined,
) => sql<PurchaseRow[]>`
  select ${shownPurchase(sql)} from purchase
  where true ${bookid ? sql`and bookid = ${bookid}` : sql``} ${before ? sql`and purchaseid < ${before}` : sql``}
  order by purchaseid desc limit ${limit}`

/** Returns those of the commands that have taken effect. */
export async function handled(sql: Sql, commandids: string[]): Promise<string[]> {
  const rows = await sql<{ commandid: string }[]>`
    select commandid from command where commandid = any(${commandids}::uuid[])`
  return rows.map((row) => row.commandid)
}
