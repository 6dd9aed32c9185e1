/** Reservations in Postgres: insert, cancel, decide, find. */
import type { AuthContext } from '../../streams/envelope.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { type Columns, fencedRows, names, rows } from '../../streams/rows.ts'
import { positionIn } from './queue.ts'
import {
  active,
  type Cancellation,
  leadingTo,
  type NewReservation,
  open,
  type Requestable,
  type Reservation,
  type Status,
  unconfirmed,
} from './reservation.ts'
import { freeSlots } from './standings.ts'
import type { ShortVerdict } from './verdict.ts'

const canceled: Status = 'Canceled'

export type Accepted = NewReservation & {
  reservationid: string
  /** Whether the id belongs to an idempotency key, and may exist already. */
  keyed: boolean
  partition: number
  traceparent: string | null
} & Partial<AuthContext>

export type Inserted = {
  /** By Postgres's clock. */
  at: Date
  /** Ids that did not exist before. Undefined if none of the rows was `keyed`. */
  accepted: ReadonlySet<string> | undefined
  /** Those that were inserted as Failed, by their ids. Undefined if there are none. */
  refused?: ReadonlyMap<string, Refusal> | undefined
}

/** Why a reservation failed at once. Of `LimitReached`: how many were active, and how many were allowed. */
export type Refusal = Pick<Reservation, 'reservationid' | 'active' | 'active_max'> & {
  reason: 'LimitReached' | 'Blocked'
}

const plainColumns = {
  reservationid: 'uuid',
  bookid: 'text',
  userid: 'text',
  partition: 'smallint',
  traceparent: 'text',
} as const
const waitColumn = { wait: ['bool', (it: Accepted) => it.wait ?? null] } as const
const authColumns = {
  authtype: ['text', (it: Accepted) => it.authtype ?? null],
  authid: ['text', (it: Accepted) => it.authid ?? null],
} as const

const isOfProgram = (it: Partial<AuthContext>): boolean => it.authtype === 'service_account'

/** Notes reservations that programs made. @param inserted the rows with their callers. */
export const madeByPrograms = (sql: Sql, reservations: Accepted[], inserted: Fragment): Fragment =>
  reservations.some(isOfProgram)
    ? sql`, made as (
      insert into program_reservation (program, reservationid)
      select authid, reservationid from ${inserted} where authtype = 'service_account'
    )`
    : sql``

export const hasCallers = (reservations: Accepted[]): boolean =>
  reservations.some((it) => it.authid !== undefined)

/** @param which of the columns that nearly no reservation needs are needed. */
export const columnsOf = (which: {
  waits: boolean
  callers: boolean
}): Columns<Accepted, keyof typeof plainColumns> => ({
  ...plainColumns,
  ...(which.waits ? waitColumn : {}),
  ...(which.callers ? authColumns : {}),
})

/**
 * Inserts accepted reservations, and one lot of them all. A reservation that exists already, because its idempotency key
 * is repeated, is left alone. Without keyed rows there is no conflict check, which saves Postgres a tenth. `wait` is written
 * only if some row has it, because nearly none has, and the caller only where callers are known.
 */
export async function insert(sql: Sql, reservations: Accepted[], resendAfterMs: number): Promise<Inserted> {
  const keyed = reservations.some((it) => it.keyed)
  const waits = reservations.some((it) => it.wait === false)
  const callers = hasCallers(reservations)
  const columns = columnsOf({ waits, callers })
  const [row] = await sql<{ at: Date; accepted: string[] | null }[]>`
    with accepted as (
      insert into reservation (${names(sql, columns)}, created_at, updated_at)
      select ${names(sql, columns)}, now(), now()
      from ${rows(sql, reservations, columns)} as r
      -- A fixed order, so that two processes with the same repeated keys do not deadlock.
      order by reservationid
      ${keyed ? sql`on conflict (reservationid) do nothing` : sql``}
      returning reservationid ${callers ? sql`, authtype, authid` : sql``}
    ), inserted_lot as (
      insert into lot (reservationids, due_at)
      select array_agg(reservationid), clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval from accepted
      having count(*) > 0
    )${madeByPrograms(sql, reservations, sql`accepted`)}
    select now() as at, ${keyed ? sql`(select json_agg(reservationid) from accepted)` : sql`null::json`} as accepted`
  return { at: row!.at, accepted: keyed ? new Set(row!.accepted) : undefined }
}

/**
 * Sets a status, and queues its command for stock, if it has one.
 * @param limited whether standings are kept: a reservation that ends leaves that of its customer.
 * @param auth the caller, where callers are known.
 * @returns undefined if the current status forbids it.
 */
export async function change(
  sql: Sql,
  reservationid: string,
  status: Requestable,
  traceparent: string | null,
  resendAfterMs: number,
  { cause, note }: Cancellation = {},
  limited = false,
  auth?: AuthContext,
): Promise<Reservation | undefined> {
  const [row] = await sql<Reservation[]>`
    with changed as (
      update reservation set status = ${status}, cause = ${cause ?? null}, note = ${note ?? null}, traceparent = ${traceparent},
        authtype = ${auth?.authtype ?? null}, authid = ${auth?.authid ?? null}, updated_at = clock_timestamp()
      where reservationid = ${reservationid} and status = any(${leadingTo(status)}::text[])
      returning partition, ${shown(sql)}
    ), queued as (
      insert into outbox (partition, reservationid, resend_at)
      select partition, reservationid, clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval from changed
      where status = any(${unconfirmed}::text[])
      on conflict (partition, reservationid) do update set resend_at = excluded.resend_at, resends = 0
    )${limited ? sql`, ${freeSlots(sql)}` : sql``}
    select ${shown(sql)} from changed`
  return row
}

/** @param program finds it only if this program made it. */
export async function find(
  sql: Sql,
  reservationid: string,
  program?: string,
): Promise<Reservation | undefined> {
  const [row] = await sql<Reservation[]>`
    select ${shown(sql)}, ${positionIn(sql)} from reservation r
    where reservationid = ${reservationid} ${madeBy(sql, program)}`
  return row
}

export const findMany = (sql: Sql, reservationids: string[]): Promise<Reservation[]> => sql<Reservation[]>`
  select ${shown(sql)} from reservation where reservationid = any(${reservationids}::uuid[])`

type ReservationQuery = {
  userid: string | undefined
  bookid: string | undefined
  status: Status | undefined
  /** Only those that this program made. */
  program?: string | undefined
  before: string | undefined
  limit: number
}

/** Newest first: ids increase with time. Only lists of one customer have positions. */
export function list(
  sql: Sql,
  { userid, bookid, status, program, before, limit }: ReservationQuery,
): Promise<Reservation[]> {
  const walked = userid || bookid ? undefined : program
  return sql<Reservation[]>`
    select ${shown(sql)} ${userid ? sql`, ${positionIn(sql)}` : sql``}
    from ${walked === undefined ? sql`reservation` : allOfProgram(sql, walked, before)} r
    where true
      ${userid ? sql`and userid = ${userid}` : sql``}
      ${bookid ? sql`and bookid = ${bookid}` : sql``}
      ${status ? sql`and status = ${status}` : sql``}
      ${before ? sql`and reservationid < ${before}` : sql``}
      ${walked === undefined ? madeBy(sql, program) : sql``}
    order by ${walked === undefined ? sql`reservationid` : sql`made`} desc limit ${limit}`
}

/** By its own table, one after the other: a plan of a join could read all reservations. */
const allOfProgram = (sql: Sql, program: string, before: string | undefined): Fragment => sql`(
  select reservationid as made from program_reservation
  where program = ${program} ${before ? sql`and reservationid < ${before}` : sql``}
) m cross join lateral (select * from reservation where reservationid = made offset 0)`

/** Of a customer with a long history, only the newest are searched. */
const searchedMax = 1_000

/** A customer's active reservations, newest first, with positions. @param program only those that it made. */
export const listActive = (
  sql: Sql,
  userid: string,
  limit: number,
  program?: string,
): Promise<Reservation[]> => sql<Reservation[]>`
  select ${shown(sql)}, ${positionIn(sql)} from (
    select * from reservation where userid = ${userid} order by reservationid desc limit ${searchedMax}
  ) as r
  where status = any(${active}::text[]) ${madeBy(sql, program)} order by reservationid desc limit ${limit}`

/** Of a row `r`. */
const madeBy = (sql: Sql, program: string | undefined): Fragment =>
  program === undefined
    ? sql``
    : sql`and exists (
        select from program_reservation m where m.program = ${program} and m.reservationid = r.reservationid)`

const shown = (sql: Sql) => sql`
  reservationid, bookid, userid, status, reason, other, place, pickup_by, cause, note, active, active_max,
  created_at, updated_at`

/**
 * Applies verdicts on plain events. An outcome decides a reservation only while it is open; a release confirms a cancellation.
 * Both delete the reservation's command from the outbox.
 * @param limited whether standings are kept: reservations that end leave those of their customers.
 */
export const applyShortVerdicts = (
  sql: Sql,
  verdicts: (ShortVerdict & { partition: number })[],
  limited = false,
): Fragment => sql`
  changed as (
    update reservation r set
      status = case r.status when ${canceled} then r.status else v.status end,
      reason = case r.status when ${canceled} then r.reason else v.reason end,
      updated_at = case r.status when ${canceled} then r.updated_at else now() end
    from ${fencedRows(sql, verdicts, {
      reservationid: 'uuid',
      status: 'text',
      reason: 'text',
      released: 'bool',
    })} as v
    where r.reservationid = v.reservationid
      and (r.status = any(${open}::text[]) and v.status is not null
        or r.status = ${canceled} and v.released)
    returning r.partition, r.reservationid, r.status = ${canceled} as released, r.created_at, r.updated_at${limited ? sql`, r.userid, r.status` : sql``}
  ), confirmed as (
    delete from outbox o using changed c where o.partition = c.partition and o.reservationid = c.reservationid
  )${limited ? sql`, ${freeSlots(sql)}` : sql``}`

/**
 * The reservations that `applyShortVerdicts` changed, as the commit reports them. Facts that the events already have are left
 * out, because thousands are reported per second.
 */
export type Report = {
  /** Reservations decided as their verdict says; for each, `seconds` has the time from accepted to decided. */
  decided: string[] | null
  seconds: number[] | null
  /** When they were decided, which is the same for all. */
  at: string
  /** Reservations that stock released; for each, `canceled_at` has the time of its cancellation. */
  canceled: string[] | null
  canceled_at: string[] | null
}

/** Makes the commit return a `Report`. */
export const report = (sql: Sql): Fragment => sql`
  select null::int, json_build_object(
    'decided', array_agg(reservationid) filter (where not released),
    'seconds', array_agg(date_part('epoch', updated_at - created_at)) filter (where not released),
    'at', now(),
    'canceled', array_agg(reservationid) filter (where released),
    'canceled_at', array_agg(updated_at) filter (where released)
  ) from changed`
