/** Removes the customers of reservations that are over: after `HISTORY_DAYS`, or when a customer is erased (`erasure.ts`). */
import { type HistoryPage, historyPageMax } from '../../platform/history.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { active, type Status, unconfirmed } from './reservation.ts'
import { isBlocked } from './standings.ts'

const collected: Status = 'Collected'

/**
 * Whether a reservation `r` is over: it is not active, stock has nothing left to confirm, and no copy is out. A copy that
 * was handed over may come back as long as stock counts copies of the book that are out.
 */
export const isOver = (sql: Sql): Fragment => sql`
  r.status <> all(${active}::text[])
  and not (r.status = any(${unconfirmed}::text[]) and exists (
    select from outbox o where o.partition = r.partition and o.reservationid = r.reservationid
  ))
  and not (r.status = ${collected} and exists (select from book b where b.bookid = r.bookid and b.out > 0))`

/** Clears the columns that name a person or lead to one. Book, dates and status stay for statistics. */
export const withoutCustomer = (sql: Sql): Fragment => sql`
  userid = '', authtype = null, authid = null, note = null, other = null, traceparent = null`

/** Handles a page of reservations that were made before `before`. @param days since they have ended. */
export async function forgetPage(
  sql: Sql,
  after: string,
  before: string,
  days: number,
): Promise<HistoryPage> {
  const [page] = await sql<HistoryPage[]>`
    with page as materialized (
      select reservationid, userid from reservation
      where reservationid > ${after}::uuid and reservationid < ${before}::uuid
      order by reservationid limit ${historyPageMax}
    ), over as materialized (
      select r.partition, r.reservationid from page p join reservation r on r.reservationid = p.reservationid
      where p.userid <> '' and r.userid <> '' and r.updated_at < now() - make_interval(days => ${days}) and ${isOver(sql)}
      order by r.reservationid for update of r skip locked
    ), forgotten as (
      update reservation r set ${withoutCustomer(sql)} from over where r.reservationid = over.reservationid
    )
    select (select count(*) from over) as forgotten,
      (select reservationid from page order by reservationid desc limit 1) as last`
  return page!
}

/** Standings per statement. */
const standingsMax = 500

/** Deletes the standings of customers who have no reservation and no block any more. */
export async function forgetStandings(sql: Sql): Promise<void> {
  for (let after = ''; ; ) {
    const [page] = await sql<{ last: string | null }[]>`
      with page as materialized (
        select userid from standing where userid > ${after} order by userid limit ${standingsMax}
      ), deleted as (
        delete from standing s using page where s.userid = page.userid and ${isEmpty(sql)}
      )
      select (select userid from page order by userid desc limit 1) as last`
    if (page!.last === null) return
    after = page!.last
  }
}

/** Whether a standing `s` says nothing. A standing that a new reservation has changed meanwhile is judged as it is then. */
export const isEmpty = (sql: Sql): Fragment => sql`
  s.active = '{}' and not ${isBlocked(sql, sql`s`)}
  and not exists (select from reservation r where r.userid = s.userid)`
