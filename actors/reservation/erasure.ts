/**
 * Erasing a customer: their reservations lose their name, and stock is asked to forget it too (`unanswered.ts`).
 *
 * ER1. Nothing is erased while a reservation is active or a copy is out: the customer could not get what is set aside for
 *      them, and the library could not get its copy back.
 * ER2. A batch is one statement, which also notes what stock must forget. So an erasure may stop anywhere. When it is repeated,
 *      it finds what is left.
 */
import { erasedMax } from '../../platform/http/erase.ts'
import type { Sql } from '../../streams/postgres.ts'
import { isEmpty, isOver, withoutCustomer } from './history.ts'
import type { Reservation } from './reservation.ts'

/** Open reservations that an answer names. */
const namedMax = 100

type OpenReservation = Pick<Reservation, 'reservationid' | 'bookid' | 'status'>

/** @returns what keeps a customer from being erased, newest first. */
export const openOf = (sql: Sql, userid: string): Promise<OpenReservation[]> => sql<OpenReservation[]>`
  select reservationid, bookid, status from reservation r
  where userid = ${userid} and not (${isOver(sql)}) order by reservationid desc limit ${namedMax}`

/** Erases the customer from some of their reservations that are over. @returns how many; less than `erasedMax`: no more. */
export async function eraseSome(sql: Sql, userid: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    with chosen as materialized (
      select r.reservationid, r.bookid from reservation r
      where r.userid = ${userid} and ${isOver(sql)} order by r.reservationid limit ${erasedMax} for update of r
    ), erased as (
      update reservation r set ${withoutCustomer(sql)} from chosen c where r.reservationid = c.reservationid
    ), noted as (
      insert into forgotten (reservationid, bookid) select reservationid, bookid from chosen
      on conflict do nothing
    )
    select count(*) from chosen`
  return row!.count
}

/** Deletes the customer's standing, except a block that is in force. @returns whether one is kept. */
export async function eraseStanding(sql: Sql, userid: string): Promise<boolean> {
  await sql`delete from standing s where s.userid = ${userid} and ${isEmpty(sql)}`
  const kept = await sql`select from standing where userid = ${userid}`
  return kept.length > 0
}
