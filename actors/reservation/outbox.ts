/** Commands that stock has not confirmed: kept by lot until the lot is due, then one row each until stock answers. */
import { type BacklogItem, backlogItem, countMax } from '../../platform/operators/backlog-http.ts'
import type { Sql } from '../../streams/postgres.ts'
import { type Reservation, unconfirmed, undecided } from './reservation.ts'

type UnconfirmedCommand = Pick<
  Reservation,
  'reservationid' | 'bookid' | 'userid' | 'status' | 'cause' | 'note'
> & { wait: boolean | null; traceparent: string | null; authtype: string | null; authid: string | null }

/** Moves the undecided reservations of due lots into the outbox. A reservation that is decided concurrently may get there too. */
export async function openLots(sql: Sql): Promise<void> {
  await sql`
    with due as (
      delete from lot where due_at < clock_timestamp() returning reservationids, due_at
    )
    insert into outbox (partition, reservationid, resend_at)
    select r.partition, r.reservationid, due_at
    from due, lateral (
      -- The offset forces one index lookup per lot. Without it, a plan made while the table was small would scan the
      -- whole table, and stay cached.
      select partition, reservationid from reservation
      where reservationid = any(due.reservationids) and status = any(${undecided}::text[]) offset 0
    ) as r
    on conflict do nothing`
}

/**
 * @returns the age of the oldest unconfirmed command in the outbox, in seconds. Only the first commands of each partition
 * are read, so a full outbox is not scanned; ids increase with time, so the oldest reservation is among them.
 */
export async function unconfirmedSeconds(sql: Sql, partitions: number): Promise<number | undefined> {
  const [row] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from clock_timestamp()
      - min(case when r.status = any(${undecided}::text[]) then r.created_at else r.updated_at end))::float as seconds
    from generate_series(0, ${partitions - 1}) as p (partition)
    cross join lateral (
      select reservationid from outbox where partition = p.partition order by reservationid limit ${firstMax}
    ) o
    join reservation r on r.reservationid = o.reservationid and r.status = any(${unconfirmed}::text[])`
  return row?.seconds ?? undefined
}

/** More than one, because cancellations of older reservations may come first. */
const firstMax = 20

export const backlogKinds = {
  UnconfirmedCommands: 'commands that stock has not answered in time. They are sent again until it does',
}

/** @returns the commands in the outbox, for operators. */
export async function readBacklog(sql: Sql, partitions: number): Promise<BacklogItem[]> {
  const seconds = await unconfirmedSeconds(sql, partitions)
  const [row] = await sql<{ count: number }[]>`
    select count(*) from (select from outbox limit ${countMax}) as counted`
  return [backlogItem('UnconfirmedCommands', row!.count, seconds)]
}

/** A partition with commands due to be resent, and the time of the query, by Postgres's clock. */
export type DuePartition = { partition: number; at: Date }

export const partitionsDue = (sql: Sql, partitions: number): Promise<DuePartition[]> => sql<DuePartition[]>`
  select p.partition, clock_timestamp() as at from generate_series(0, ${partitions - 1}) as p (partition)
  where exists (select from outbox o where o.partition = p.partition and o.resend_at < clock_timestamp())`

/**
 * The longest wait between resends, unless `resendAfterMs` is longer. It is short because Redis may lose a command every
 * time; `resend.ts` keeps it from flooding an overloaded stock.
 */
export const resendWaitMaxMs = 10_000

/**
 * Claims a partition's commands that were due before `dueBefore`, and postpones their next resend. Concurrent processes
 * claim different ones. Commands that stock has confirmed are deleted.
 * @param dueBefore by Postgres's clock.
 * @returns at most `limit` commands, of the oldest reservations first.
 */
export const claimDue = (
  sql: Sql,
  partition: number,
  dueBefore: Date,
  limit: number,
  resendAfterMs: number,
): Promise<UnconfirmedCommand[]> => sql<UnconfirmedCommand[]>`
  with due as (
    select o.reservationid, r.status <> all(${unconfirmed}::text[]) as confirmed
    from outbox o join reservation r on r.reservationid = o.reservationid
    where o.partition = ${partition} and o.resend_at < ${dueBefore}
    order by o.reservationid limit ${limit} for update of o skip locked
  ), deleted as (
    delete from outbox o using due
    where due.confirmed and o.partition = ${partition} and o.reservationid = due.reservationid
  ), claimed as (
    update outbox o set resends = o.resends + 1,
      resend_at = clock_timestamp() + interval '1 millisecond'
        * least(${resendAfterMs}::float * 2 ^ least(o.resends + 1, 10) * (0.75 + random() / 2),
          ${Math.max(resendAfterMs, resendWaitMaxMs)}::float)
    from due where not due.confirmed and o.partition = ${partition} and o.reservationid = due.reservationid
    returning o.reservationid
  )
  select r.reservationid, r.bookid, r.userid, r.status, r.cause, r.note, r.wait, r.traceparent,
    r.authtype, r.authid
  from claimed join reservation r on r.reservationid = claimed.reservationid
  order by r.reservationid`
