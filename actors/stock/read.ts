/** What stock's HTTP face shows. Each list takes one row more than a page holds, to tell whether another follows. */
import type { Sql } from '../../streams/postgres.ts'

export type StockRow = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  held: number
  version: number
}

export async function stock(sql: Sql, bookid: string): Promise<StockRow | undefined> {
  const [row] = await sql<StockRow[]>`
    select bookid, title, author, isbn, available, held, version from book where bookid = ${bookid} and received`
  return row
}

export const stocks = (sql: Sql, limit: number, after = ''): Promise<StockRow[]> => sql<StockRow[]>`
  select bookid, title, author, isbn, available, held, version from book
  where received and bookid > ${after} order by bookid limit ${limit}`

export type MovementRow = { seq: number; id: string; type: string; time: Date; data: Record<string, unknown> }

/** The events of one book come from one partition, so their sequence is their order. */
export const movements = (sql: Sql, bookid: string, limit: number, before: number | undefined) => sql<
  MovementRow[]
>`
  select seq, id, type, time, data from event_log
  where subject = ${bookid} and seq < ${before ?? Number.MAX_SAFE_INTEGER} order by seq desc limit ${limit}`

export type RequestRow = { bookid: string; title: string; shortage: number; requested_at: Date }

export const requests = (sql: Sql, limit: number, after = ''): Promise<RequestRow[]> => sql<RequestRow[]>`
  select bookid, title, shortage, requested_at from book
  where requested_at is not null and bookid > ${after} order by bookid limit ${limit}`

export type PurchaseRow = {
  purchaseid: string
  bookid: string
  qty: number
  status: 'ordered' | 'received'
  ordered_at: Date
  received_at: Date | null
}

export async function purchase(sql: Sql, purchaseid: string): Promise<PurchaseRow | undefined> {
  const [row] = await sql<PurchaseRow[]>`
    select purchaseid, bookid, qty, status, ordered_at, received_at from purchase where purchaseid = ${purchaseid}`
  return row
}

/** Newest first: purchase ids rise with time. */
export const purchases = (
  sql: Sql,
  limit: number,
  bookid: string | undefined,
  before: string | undefined,
) => sql<PurchaseRow[]>`
  select purchaseid, bookid, qty, status, ordered_at, received_at from purchase
  where true ${bookid ? sql`and bookid = ${bookid}` : sql``} ${before ? sql`and purchaseid < ${before}` : sql``}
  order by purchaseid desc limit ${limit}`

/** Commands among these that have had their effect. */
export async function handled(sql: Sql, commandids: string[]): Promise<string[]> {
  const rows = await sql<{ commandid: string }[]>`
    select commandid from command where commandid = any(${commandids}::uuid[])`
  return rows.map((row) => row.commandid)
}
