/**
 * Erasing a customer at the notifier: their contact and addresses go at once, and their notices no longer name them. A notice
 * stays, because an event that comes again finds it by its id, and is not sent a second time.
 *
 * A batch is one statement, so an erasure may stop anywhere. When it is repeated, it finds what is left.
 */
import { erasedMax } from '../../../platform/http/erase.ts'
import type { Sql } from '../../../streams/postgres.ts'

/** @returns whether there was a contact. */
export async function eraseContact(sql: Sql, userid: string): Promise<boolean> {
  const { count } = await sql`delete from customer where userid = ${userid}`
  return count > 0
}

/**
 * Erases the customer from some of their notices, and what receivers answered. Unsent notices are not sent any more,
 * except a notice that a dispatcher has just claimed.
 * @returns how many; less than `erasedMax`: no more.
 */
export async function eraseSomeNotices(sql: Sql, userid: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    with chosen as materialized (
      select seq from notice where userid = ${userid} order by seq limit ${erasedMax}
    ), waiting as materialized (
      select u.seq from chosen c join undelivered u on u.seq = c.seq order by u.seq for update of u
    ), dropped as (
      delete from undelivered u using waiting w where u.seq = w.seq
    ), unanswered as (
      update attempt a set error = null, answer = null from chosen c where a.seq = c.seq
    ), erased as (
      update notice n set userid = '', last_error = null, traceparent = null, details = n.details - 'note',
        status = case when w.seq is null then n.status else 'suppressed' end,
        superseded_at = case when w.seq is null then n.superseded_at else clock_timestamp() end
      from chosen c left join waiting w on w.seq = c.seq where n.seq = c.seq
    )
    select count(*) from chosen`
  return row!.count
}
