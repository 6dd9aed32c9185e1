/**
 * Removes the customers of holds that are over, and that they were blocked. Stock does not note when a hold has ended, so
 * `HISTORY_DAYS` count from the reservation: a customer's name is never kept longer than that after the end.
 */
import { type HistoryPage, historyPageMax } from '../../platform/history.ts'
import type { Sql } from '../../streams/postgres.ts'
import { over } from './hold.ts'

/** Handles a page of holds whose reservations were made before `before`. */
export async function forgetPage(sql: Sql, after: string, before: string): Promise<HistoryPage> {
  const [page] = await sql<HistoryPage[]>`
    with page as materialized (
      select reservationid, userid from hold
      where reservationid > ${after}::uuid and reservationid < ${before}::uuid
      order by reservationid limit ${historyPageMax}
    ), due as materialized (
      select h.reservationid from page p join hold h on h.reservationid = p.reservationid
      where p.userid <> '' and h.userid <> '' and h.status = any(${over}::text[])
        and not exists (select from claim c where c.reservationid = h.reservationid)
      order by h.reservationid for update of h skip locked
    ), forgotten as (
      update hold h set userid = '' from due where h.reservationid = due.reservationid
    ), unblocked as (
      delete from blocked_hold b using due where b.reservationid = due.reservationid
    )
    select (select count(*) from due) as forgotten,
      (select reservationid from page order by reservationid desc limit 1) as last`
  return page!
}
