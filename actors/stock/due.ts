/** Holds and waits whose time is over, and books whose queue is not finished: what the clock sends messages for. */
import type { Sql } from '../../streams/postgres.ts'

/** Reservations or books per statement. */
export const dueMax = 1_000

/** Milliseconds until the first of each kind is due, below 0 once it is; null if there is none. */
export type Next = { expiry: number | null; lapse: number | null; tending: number | null }

/** Reads one row of each index. The table of untended books is nearly always empty. */
export async function nextDue(sql: Sql, graceMs: number): Promise<Next> {
  const [row] = await sql<Next[]>`
    select
      (select extract(epoch from pickup_by - now())::float * 1000 + ${graceMs}::float
        from claim where kind = 'ready' and pickup_by is not null order by pickup_by limit 1) as expiry,
      (select extract(epoch from lapses_at - now())::float * 1000
        from claim where kind = 'waiting' and lapses_at is not null order by lapses_at limit 1) as lapse,
      (select coalesce(extract(epoch from asked_at - now())::float * 1000 + ${tendAfterMs}::float, -1)
        from untended order by asked_at nulls first limit 1) as tending`
  return row!
}

/** A message that had no effect for so long may be lost. */
const repeatAfterMs = 60_000
/** Sooner for queues, because copies lie idle. Each decision that leaves one unfinished postpones its message. */
const tendAfterMs = 5_000

/** By Postgres's clock. */
export type DueReservation = { reservationid: string; bookid: string; at: Date }
type DueBook = { bookid: string; at: Date }

// now(), not clock_timestamp(): only a stable value can be searched in an index. Rows that another process is claiming, or
// that a commit is changing, are skipped: no statement here waits for a lock while it holds others.

/** Claims holds whose deadline passed more than `graceMs` ago. Concurrent processes claim different ones. */
export const claimExpiries = (sql: Sql, partitions: number[], graceMs: number): Promise<DueReservation[]> =>
  sql<DueReservation[]>`
    with due as materialized (
      select reservationid from claim
      where kind = 'ready' and pickup_by < now() - ${graceMs}::float * interval '1 millisecond'
        and (asked_at is null or asked_at < now() - ${repeatAfterMs}::float * interval '1 millisecond')
        and partition = any(${partitions}::smallint[])
      order by pickup_by limit ${dueMax} for update skip locked
    )
    update claim c set asked_at = now() from due where c.reservationid = due.reservationid
    returning c.reservationid, c.bookid, now() as at`

/** Claims waits whose time is over. */
export const claimLapses = (sql: Sql, partitions: number[]): Promise<DueReservation[]> => sql<
  DueReservation[]
>`
    with due as materialized (
      select reservationid from claim
      where kind = 'waiting' and lapses_at < now()
        and (asked_at is null or asked_at < now() - ${repeatAfterMs}::float * interval '1 millisecond')
        and partition = any(${partitions}::smallint[])
      order by lapses_at limit ${dueMax} for update skip locked
    )
    update claim c set asked_at = now() from due where c.reservationid = due.reservationid
    returning c.reservationid, c.bookid, now() as at`

/** Claims untended books. Stock itself sends the first message for each, after the commit that left it untended. */
export const claimUntended = (sql: Sql, partitions: number[]): Promise<DueBook[]> => sql<DueBook[]>`
    with due as materialized (
      select bookid from untended
      where (asked_at is null or asked_at < now() - ${tendAfterMs}::float * interval '1 millisecond')
        and partition = any(${partitions}::smallint[])
      limit ${dueMax} for update skip locked
    )
    update untended u set asked_at = now() from due where u.bookid = due.bookid
    returning u.bookid, now() as at`
