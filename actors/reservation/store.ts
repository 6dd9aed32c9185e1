/** Rows of reservations: accepted, cancelled, decided, found. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { Reservation, Status, Verdict } from './reservation.ts'

export type Accepted = {
  reservationid: string
  /** Whether the id stands for an idempotency key, and may exist already. */
  keyed: boolean
  bookid: string
  userid: string
  partition: number
  traceparent: string | null
}

export type Inserted = {
  /** When, by Postgres's clock. */
  at: Date
  /** The reservations that are new. Not told where none could exist before. */
  accepted: ReadonlySet<string> | undefined
}

/**
 * Writes accepted reservations, and notes them as one lot. One that exists already (a repeated key) is left alone. Where
 * no id stands for a key none is looked for, which takes Postgres a tenth less.
 */
export async function insert(sql: Sql, rows: Accepted[], resendAfterMs: number): Promise<Inserted> {
  const keyed = rows.some((it) => it.keyed)
  const [row] = await sql<{ at: Date; accepted: string[] | null }[]>`
    with accepted as (
      insert into reservation (reservationid, bookid, userid, partition, traceparent, created_at, updated_at)
      select r.reservationid, r.bookid, r.userid, r.partition, r.traceparent, now(), now()
      from unnest(
        ${rows.map((it) => it.reservationid)}::uuid[], ${rows.map((it) => it.bookid)}::text[],
        ${rows.map((it) => it.userid)}::text[], ${rows.map((it) => it.partition)}::smallint[],
        ${rows.map((it) => it.traceparent)}::text[]
      ) as r (reservationid, bookid, userid, partition, traceparent)
      -- In the same order always, so that two processes with the same repeated keys do not wait for each other.
      order by r.reservationid
      ${keyed ? sql`on conflict (reservationid) do nothing` : sql``}
      returning reservationid
    ), noted as (
      insert into lot (reservationids, due_at)
      select array_agg(reservationid), clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval from accepted
      having count(*) > 0
    )
    select now() as at, ${keyed ? sql`(select json_agg(reservationid) from accepted)` : sql`null::json`} as accepted`
  return { at: row!.at, accepted: keyed ? new Set(row!.accepted) : undefined }
}

/** @returns the reservation as cancelled by this call, or undefined when its state does not allow it. */
export async function cancel(
  sql: Sql,
  reservationid: string,
  traceparent: string | null,
  resendAfterMs: number,
): Promise<Reservation | undefined> {
  const [row] = await sql<Reservation[]>`
    with canceled as (
      update reservation set status = 'Canceled', traceparent = ${traceparent}, updated_at = clock_timestamp()
      where reservationid = ${reservationid} and status in ('Requested', 'Reserved')
      returning partition, ${shown(sql)}
    ), queued as (
      insert into outbox (partition, reservationid, resend_at)
      select partition, reservationid, clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval from canceled
      on conflict (partition, reservationid) do update set resend_at = excluded.resend_at, resends = 0
    )
    select ${shown(sql)} from canceled`
  return row
}

export async function find(sql: Sql, reservationid: string): Promise<Reservation | undefined> {
  const [row] = await sql<Reservation[]>`
    select ${shown(sql)} from reservation where reservationid = ${reservationid}`
  return row
}

export const findMany = (sql: Sql, reservationids: string[]): Promise<Reservation[]> => sql<Reservation[]>`
  select ${shown(sql)} from reservation where reservationid = any(${reservationids}::uuid[])`

export type ReservationQuery = {
  userid: string | undefined
  bookid: string | undefined
  status: Status | undefined
  before: string | undefined
  limit: number
}

/** Newest first: ids rise with time. */
export function list(
  sql: Sql,
  { userid, bookid, status, before, limit }: ReservationQuery,
): Promise<Reservation[]> {
  return sql<Reservation[]>`
    select ${shown(sql)} from reservation
    where true
      ${userid ? sql`and userid = ${userid}` : sql``}
      ${bookid ? sql`and bookid = ${bookid}` : sql``}
      ${status ? sql`and status = ${status}` : sql``}
      ${before ? sql`and reservationid < ${before}` : sql``}
    order by reservationid desc limit ${limit}`
}

const shown = (sql: Sql) => sql`reservationid, bookid, userid, status, reason, created_at, updated_at`

/** What the commit reports of a reservation that a verdict changed, as JSON. */
export type Changed = {
  reservationid: string
  bookid: string
  status: Status
  reason: string | null
  traceparent: string | null
  updated_at: string
  /** From accepted to now. */
  seconds: number
}

/**
 * Applies verdicts. An outcome decides a reservation that is Requested and no other; a cancellation is answered by
 * whatever tells that stock holds no copy for it. What is answered leaves the outbox.
 */
export const applyVerdicts = (sql: Sql, rows: (Verdict & { partition: number })[]): Fragment => sql`
  judged as (
    update reservation r set
      status = case when r.status = 'Requested' then v.status else r.status end,
      reason = case when r.status = 'Requested' then v.reason else r.reason end,
      updated_at = case when r.status = 'Requested' then clock_timestamp() else r.updated_at end
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.reservationid)}::uuid[],
      ${rows.map((it) => it.status)}::text[], ${rows.map((it) => it.reason)}::text[],
      ${rows.map((it) => String(it.released))}::text[]
    ) as v (partition, reservationid, status, reason, released)
    where r.reservationid = v.reservationid and v.partition = any(array(select partition from fenced))
      and (r.status = 'Requested' and v.status is not null or r.status = 'Canceled' and v.released::bool)
    returning r.partition, r.reservationid, r.bookid, r.status, r.reason, r.traceparent, r.updated_at,
      extract(epoch from r.updated_at - r.created_at)::float as seconds
  ), answered as (
    delete from outbox o using judged j where o.partition = j.partition and o.reservationid = j.reservationid
  )`

/** Column by column: rows of JSON name every column again, and take twice as long to write and to read. */
export type ChangedColumns = { [Column in keyof Changed]: Changed[Column][] | null }

/** The reservations that `applyVerdicts` changed, each once, all in one of the commit's results. */
export const changed = (sql: Sql): Fragment => sql`
  select null::int, json_build_object(
    'reservationid', array_agg(reservationid), 'bookid', array_agg(bookid), 'status', array_agg(status),
    'reason', array_agg(reason), 'traceparent', array_agg(traceparent), 'updated_at', array_agg(updated_at),
    'seconds', array_agg(seconds)
  ) from judged`

export function changedRows(columns: ChangedColumns): Changed[] {
  const { reservationid, bookid, status, reason, traceparent, updated_at, seconds } = columns
  return (reservationid ?? []).map((id, i) => ({
    reservationid: id,
    bookid: bookid![i]!,
    status: status![i]!,
    reason: reason![i]!,
    traceparent: traceparent![i]!,
    updated_at: updated_at![i]!,
    seconds: seconds![i]!,
  }))
}

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
      where reservationid = any(due.reservationids) and status = 'Requested' offset 0
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
      - min(case r.status when 'Requested' then r.created_at else r.updated_at end))::float as seconds
    from generate_series(0, ${partitions - 1}) as p (partition)
    cross join lateral (
      select reservationid from outbox where partition = p.partition order by reservationid limit ${firstMax}
    ) o
    join reservation r on r.reservationid = o.reservationid and r.status in ('Requested', 'Canceled')`
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
    select o.reservationid, r.status in ('Reserved', 'Failed') as decided
    from outbox o join reservation r on r.reservationid = o.reservationid
    where o.partition = ${partition} and o.resend_at < ${dueBefore}
    order by o.reservationid limit ${limit} for update of o skip locked
  ), answered as (
    delete from outbox o using due
    where due.decided and o.partition = ${partition} and o.reservationid = due.reservationid
  ), taken as (
    update outbox o set resends = o.resends + 1,
      resend_at = clock_timestamp() + interval '1 millisecond'
        * least(${resendAfterMs}::float * 2 ^ least(o.resends + 1, 10) * (0.75 + random() / 2),
          ${Math.max(resendAfterMs, resendWaitMaxMs)}::float)
    from due where not due.decided and o.partition = ${partition} and o.reservationid = due.reservationid
    returning o.reservationid
  )
  select r.reservationid, r.bookid, r.userid, r.status, r.traceparent
  from taken join reservation r on r.reservationid = taken.reservationid
  order by r.reservationid`
