/** Verdicts on events of any type, in Postgres. Those on plain events have a statement of their own (`store.ts`). */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { RefusalReason } from '../messages.ts'
import type { Status } from './reservation.ts'
import { freeSlots } from './standings.ts'
import type { Verdict } from './verdict.ts'

const canceled: Status = 'Canceled'

/**
 * Applies verdicts to the status that each reservation has by then, and deletes the commands that are answered with that from
 * the outbox. A row is locked before its status is read: the customer may be canceling it. A row also keeps what was heard last
 * of its reservation, even if that changes nothing else.
 * @param limited whether standings are kept: reservations that end leave those of their customers.
 */
export const applyVerdicts = (
  sql: Sql,
  verdicts: (Verdict & { partition: number; heard: number })[],
  limited = false,
): Fragment => sql`
  judged as (
    select r.reservationid, r.status as was, v.heard, v.becomes::jsonb -> r.status as becomes
    from ${fencedRows(sql, verdicts, {
      reservationid: 'uuid',
      heard: 'bigint',
      becomes: ['json', (it) => JSON.stringify(it.becomes)],
    })} as v
    join reservation r on r.reservationid = v.reservationid
    for update of r
  ), changed as (
    update reservation r set
      status = coalesce(becomes ->> 'status', r.status),
      heard = j.heard,
      reason = coalesce(becomes ->> 'reason', r.reason),
      other = coalesce((becomes ->> 'other')::uuid, r.other),
      place = coalesce((becomes ->> 'place')::bigint, r.place),
      pickup_by = case when becomes ? 'pickup_by' then (becomes ->> 'pickup_by')::timestamptz else r.pickup_by end,
      -- The customer has canceled it, not stock.
      updated_at = case when becomes is null or becomes ->> 'status' = ${canceled} then r.updated_at else now() end
    from judged j where r.reservationid = j.reservationid
    returning r.partition, r.reservationid, j.was, r.status, r.reason, r.other, r.pickup_by, r.created_at, r.updated_at,
      becomes is not null as applied${limited ? sql`, r.userid` : sql``}
  ), confirmed as (
    delete from outbox o using changed c
    where applied and o.partition = c.partition and o.reservationid = c.reservationid
  )${limited ? sql`, ${freeSlots(sql)}` : sql``}`

/** A reservation that a verdict changed, as the commit reports it. */
export type Move = {
  reservationid: string
  was: Status
  status: Status
  reason: RefusalReason | null
  other: string | null
  pickup_by: string | null
  updated_at: string
  /** From accepted to changed. */
  seconds: number
}

/** Makes the commit return the reservations that `applyVerdicts` changed. */
export const reportMoves = (sql: Sql): Fragment => sql`
  select null::int, json_build_object('moves', json_agg(json_build_object(
    'reservationid', reservationid, 'was', was, 'status', status, 'reason', reason, 'other', other,
    'pickup_by', pickup_by, 'updated_at', updated_at, 'seconds', date_part('epoch', updated_at - created_at)
  ))) from changed where applied`

/** @returns the sequence number of the last event of stock that was heard of each reservation, where it is known. */
export async function heardOf(sql: Sql, reservationids: string[]): Promise<Map<string, number>> {
  const rows = await sql<{ reservationid: string; heard: number }[]>`
    select reservationid, heard from reservation
    where reservationid = any(${reservationids}::uuid[]) and heard is not null`
  return new Map(rows.map((it) => [it.reservationid, it.heard]))
}
