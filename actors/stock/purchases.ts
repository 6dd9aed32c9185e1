/** Copies that were ordered, and those of an order that have arrived. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'

export type OrderedRow = {
  partition: number
  purchaseid: string
  bookid: string
  qty: number
  received: boolean
}
export type ReceivedRow = { partition: number; purchaseid: string; bookid: string }

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
