/** Commands that stock has not answered: by lot until they are due, then a row each until stock answers. */
import type { Sql } from '../../streams/postgres.ts'
import { type Reservation, unanswered, undecided } from './reservation.ts'

export type Unconfirmed = Pick<Reservation, 'reservationid' | 'bookid' | 'userid' | 'status'> & {
  traceparent: string | null
}

/**
 * Moves the commands of lots that are due into the outbox, unless stock has answered them. One that is answered at this
 * very moment may get there all the same.
 */
export async function openLots(sql: Sql): Promise<void> {
  await sql`
    with due as (
      delete from lot where due_at < clock_timestamp() returning reservationids, due_at
    )
    insert into outbox (partition, reservationid, resend_at)
    select r.partition, r.reservationid, due_at
    from due, lateral (
      -- With an offset it is one look into the index for each lot. Else a plan that was made while there were few
      -- reservations would read all of them, and be kept.
      select partition, reservationid from reservation
      where reservationid = any(due.reservationids) and status = any(${undecided}::text[]) offset 0
    ) as r
    on conflict do nothing`
}

/**
 * @returns how long the oldest of the commands has waited that stock has not answered in time, seconds: of the first in each
 * partition, so that a full outbox is not read from end to end. The oldest reservation is among them, for ids rise with time.
 */
export async function unansweredSeconds(sql: Sql, partitions: number): Promise<number | undefined> {
  const [row] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from clock_timestamp()
      - min(case when r.status = any(${undecided}::text[]) then r.created_at else r.updated_at end))::float as seconds
    from generate_series(0, ${partitions - 1}) as p (partition)
    cross join lateral (
      select reservationid from outbox where partition = p.partition order by reservationid limit ${firstMax}
    ) o
    join reservation r on r.reservationid = o.reservationid and r.status = any(${unanswered}::text[])`
  return row?.seconds ?? undefined
}

/** Cancellations of older reservations may stand in front of it. */
const firstMax = 20

/** A partition in which commands are due to be sent again, and when that was asked, by Postgres's clock. */
export type DuePartition = { partition: number; at: Date }

export const partitionsDue = (sql: Sql, partitions: number): Promise<DuePartition[]> => sql<DuePartition[]>`
  select p.partition, clock_timestamp() as at from generate_series(0, ${partitions - 1}) as p (partition)
  where exists (select from outbox o where o.partition = p.partition and o.resend_at < clock_timestamp())`

/**
 * The longest that a command waits to be sent again, however often it was, unless it waits longer for the first time: Redis
 * may lose it each time. An overloaded stock is sent nothing in vain even so (`resend.ts`).
 */
export const resendWaitMaxMs = 10_000

/**
 * Takes a partition's commands that were due before `dueBefore`, each for one process, and puts their next time off. Those
 * of reservations that are decided leave the outbox.
 * @param dueBefore by Postgres's clock.
 * @returns at most `limit`, those of the oldest reservations first.
 */
export const takeDue = (
  sql: Sql,
  partition: number,
  dueBefore: Date,
  limit: number,
  resendAfterMs: number,
): Promise<Unconfirmed[]> => sql<Unconfirmed[]>`
  with due as (
    select o.reservationid, r.status <> all(${unanswered}::text[]) as answered
    from outbox o join reservation r on r.reservationid = o.reservationid
    where o.partition = ${partition} and o.resend_at < ${dueBefore}
    order by o.reservationid limit ${limit} for update of o skip locked
  ), dropped as (
    delete from outbox o using due
    where due.answered and o.partition = ${partition} and o.reservationid = due.reservationid
  ), taken as (
    update outbox o set resends = o.resends + 1,
      resend_at = clock_timestamp() + interval '1 millisecond'
        * least(${resendAfterMs}::float * 2 ^ least(o.resends + 1, 10) * (0.75 + random() / 2),
          ${Math.max(resendAfterMs, resendWaitMaxMs)}::float)
    from due where not due.answered and o.partition = ${partition} and o.reservationid = due.reservationid
    returning o.reservationid
  )
  select r.reservationid, r.bookid, r.userid, r.status, r.traceparent
  from taken join reservation r on r.reservationid = taken.reservationid
  order by r.reservationid`
