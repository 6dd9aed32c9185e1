/** Rows of reservations: accepted, cancelled, decided, found. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { Reservation, Status, Verdict } from './reservation.ts'

export type Accepted = {
  reservationid: string
  bookid: string
  userid: string
  partition: number
  traceparent: string
  createdAt: Date
}

/** Writes accepted reservations. One that exists already (a repeated key) is left as it is. */
export async function insert(sql: Sql, rows: Accepted[], resendAfterMs: number): Promise<void> {
  await sql`
    insert into reservation (reservationid, bookid, userid, partition, traceparent, created_at, updated_at, resend_at)
    select r.reservationid, r.bookid, r.userid, r.partition, r.traceparent, r.created_at, r.created_at,
      clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval
    from unnest(
      ${rows.map((it) => it.reservationid)}::uuid[], ${rows.map((it) => it.bookid)}::text[],
      ${rows.map((it) => it.userid)}::text[], ${rows.map((it) => it.partition)}::smallint[],
      ${rows.map((it) => it.traceparent)}::text[], ${rows.map((it) => it.createdAt.toISOString())}::timestamptz[]
    ) as r (reservationid, bookid, userid, partition, traceparent, created_at)
    -- In the same order always, so that two processes with the same repeated keys do not wait for each other.
    order by r.reservationid
    on conflict (reservationid) do nothing`
}

/** @returns the reservation as cancelled by this call, or undefined when its state does not allow it. */
export async function cancel(
  sql: Sql,
  reservationid: string,
  traceparent: string,
  resendAfterMs: number,
): Promise<Reservation | undefined> {
  const [row] = await sql<Reservation[]>`
    update reservation set status = 'Canceled', confirmed = false, traceparent = ${traceparent}, resends = 0,
      resend_at = clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval, updated_at = clock_timestamp()
    where reservationid = ${reservationid} and status in ('Requested', 'Reserved')
    returning ${shown(sql)}`
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
 * Applies verdicts. An outcome decides a reservation that is Requested and no other; a cancellation is confirmed by
 * whatever tells that stock holds no copy for it.
 */
export const applyVerdicts = (sql: Sql, rows: (Verdict & { partition: number })[]): Fragment => sql`
  decided as (
    update reservation r set
      status = case when r.status = 'Requested' then v.status else r.status end,
      reason = case when r.status = 'Requested' then v.reason else r.reason end,
      updated_at = case when r.status = 'Requested' then clock_timestamp() else r.updated_at end,
      confirmed = true
    from unnest(
      ${rows.map((it) => it.partition)}::int[], ${rows.map((it) => it.reservationid)}::uuid[],
      ${rows.map((it) => it.status)}::text[], ${rows.map((it) => it.reason)}::text[],
      ${rows.map((it) => String(it.released))}::text[]
    ) as v (partition, reservationid, status, reason, released)
    where r.reservationid = v.reservationid and v.partition in (select partition from fenced)
      and (r.status = 'Requested' and v.status is not null
        or r.status = 'Canceled' and not r.confirmed and v.released::bool)
    returning r.reservationid, r.bookid, r.status, r.reason, r.traceparent, r.updated_at,
      extract(epoch from r.updated_at - r.created_at)::float as seconds
  )`

/** The rows that `applyVerdicts` changed, as the commit's results. */
export const changed = (sql: Sql): Fragment => sql`select null::int, row_to_json(decided) from decided`

export type Unconfirmed = Pick<Reservation, 'reservationid' | 'bookid' | 'userid' | 'status'> & {
  traceparent: string | null
}

/** @returns the partitions in which unconfirmed rows are due. */
export async function partitionsDue(sql: Sql, partitions: number): Promise<number[]> {
  const rows = await sql<{ partition: number }[]>`
    select p.partition from generate_series(0, ${partitions - 1}) as p (partition)
    where exists (
      select from reservation r
      where not r.confirmed and r.partition = p.partition and r.resend_at < clock_timestamp())`
  return rows.map((row) => row.partition)
}

/**
 * Takes a partition's unconfirmed rows that were due before `dueBefore`, each for one process, and puts their next time off.
 * @returns at most `limit`.
 */
export const takeDue = (
  sql: Sql,
  partition: number,
  dueBefore: Date,
  limit: number,
  resendAfterMs: number,
): Promise<Unconfirmed[]> => sql<Unconfirmed[]>`
  update reservation r set resends = r.resends + 1,
    resend_at = clock_timestamp() + interval '1 millisecond'
      * least(${resendAfterMs}::float * 2 ^ least(r.resends + 1, 10) * (0.75 + random() / 2), ${resendAfterMaxMs}::float)
  from (
    select reservationid from reservation
    where not confirmed and partition = ${partition} and resend_at < least(${dueBefore}, clock_timestamp())
    order by resend_at limit ${limit} for update skip locked
  ) due
  where r.reservationid = due.reservationid
  returning r.reservationid, r.bookid, r.userid, r.status, r.traceparent`

const resendAfterMaxMs = 60_000
