/**
 * Reconciles reservations with stock's holds after only one of their databases was restored. Stock's holds decide, by the
 * table `rules`; where stock must act, it is sent the usual commands through the outbox.
 *
 * A reservation that its customer canceled stays Canceled. While its hold is active, stock is sent the release again. If its
 * copy was handed over, it is Collected or Returned, as it would be without a restore.
 *
 * Stock decides a reservation again whose status comes from a hold that stock does not have. A reservation that no longer
 * names its customer is over, and stays as it is; if its hold is active again, it names the customer of the hold.
 */

import type { Status } from '../../../actors/reservation/reservation.ts'
import { reconcile } from '../../../actors/reservation/standings.ts'
import type { Hold as StockHold } from '../../../actors/stock/hold.ts'
import { partitionOf } from '../../../streams/partition.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Databases } from './installation.ts'
import { lowestUuid, pageMax, pages } from './pages.ts'

export type Hold = {
  reservationid: string
  bookid: string
  userid: string
  status: StockHold['status']
  reason: string | null
  /** Null if the book has no queue, or the hold has ended. */
  place: number | null
  turn: number | null
  pickup_by: string | null
}

type Rule = {
  /** The status of the reservation. */
  becomes: Status
  /** Also if the customer canceled it. */
  evenCanceled?: true
  /** The status with which a reservation is inserted that is unknown. Stock is sent a release of one that is Canceled. */
  unknown?: 'Canceled' | 'Collected'
}

const rules: Record<Hold['status'], Rule> = {
  waiting: { becomes: 'Waiting', unknown: 'Canceled' },
  held: { becomes: 'Reserved', unknown: 'Canceled' },
  ready: { becomes: 'Ready', unknown: 'Canceled' },
  // Known again, so that the copy can be returned.
  collected: { becomes: 'Collected', evenCanceled: true, unknown: 'Collected' },
  returned: { becomes: 'Returned', evenCanceled: true },
  expired: { becomes: 'Expired' },
  refused: { becomes: 'Failed' },
  released: { becomes: 'Canceled' },
}

/** Statuses of reservations that need a hold. */
const withHold: Status[] = ['Waiting', 'Reserved', 'Ready', 'Collected']

type Reconciled = {
  /** Holds that stock will release. */
  released: number
  /** Reservations that were set to stock's decision. */
  adopted: number
  /** Reservations that stock will decide again. */
  reopened: number
}

/** @param onUnknown is called with each page of holds without a reservation. */
export async function reconcileHolds(
  { stock, reservation }: Databases,
  partitions: number,
  onUnknown: (holds: Hold[]) => Promise<unknown>,
): Promise<Reconciled> {
  const reconciled = { released: 0, adopted: 0, reopened: 0 }
  const idOf = (row: { reservationid: string }) => row.reservationid
  for await (const holds of pages(lowestUuid, idOf, (after) => allHolds(stock, after))) {
    const known = await knownIn(reservation, 'reservation', holds.map(idOf))
    const unknown = holds.filter((hold) => !known.has(hold.reservationid))
    if (unknown.length > 0) await onUnknown(unknown)
    reconciled.adopted += await insertUnknown(reservation, unknown, partitions)
    const adopted = await adopt(reservation, holds)
    reconciled.adopted += adopted.length
    reconciled.released += await release(reservation, holds)
    await reconcile(reservation, adopted)
  }
  for await (const reserved of pages(lowestUuid, idOf, (after) => allWithHold(reservation, after))) {
    const holds = await knownIn(stock, 'hold', reserved.map(idOf))
    const open = reserved.map(idOf).filter((id) => !holds.has(id))
    if (open.length === 0) continue
    const reopened = await reopen(reservation, open)
    reconciled.reopened += reopened.length
    await reconcile(reservation, reopened)
  }
  return reconciled
}

const allHolds = (sql: Sql, after: string): Promise<Hold[]> => sql<Hold[]>`
  select h.reservationid, h.bookid, h.userid, h.status, h.reason, c.place, c.turn, c.pickup_by::text
  from hold h left join claim c on c.reservationid = h.reservationid
  where h.reservationid > ${after} order by h.reservationid limit ${pageMax}`

/** @returns those of the reservations that the table has. */
async function knownIn(
  sql: Sql,
  table: 'hold' | 'reservation',
  reservationids: string[],
): Promise<Set<string>> {
  const found = await sql<{ reservationid: string }[]>`
    select reservationid from ${sql(table)} where reservationid = any(${reservationids}::uuid[])`
  return new Set(found.map((row) => row.reservationid))
}

/** Scans the primary key, because no index has the status. */
const allWithHold = (sql: Sql, after: string): Promise<{ reservationid: string }[]> => sql<
  { reservationid: string }[]
>`
  select reservationid from reservation
  where reservationid > ${after} and status = any(${withHold}::text[]) order by reservationid limit ${pageMax}`

/** Those that are Canceled are released later. @returns the number of the others. */
async function insertUnknown(sql: Sql, holds: Hold[], partitions: number): Promise<number> {
  const [row] = await sql<{ kept: number }[]>`
    with added as (
      insert into reservation (reservationid, bookid, userid, partition, status, place)
      select reservationid, bookid, userid, partition, status, place from ${rows(
        sql,
        holds.filter((it) => rules[it.status].unknown),
        {
          reservationid: 'uuid',
          bookid: 'text',
          userid: 'text',
          partition: ['int', (it) => partitionOf(it.bookid, partitions)],
          status: ['text', (it) => rules[it.status].unknown!],
          place: 'bigint',
        },
      )} as h
      on conflict (reservationid) do nothing
      returning status
    )
    select count(*)::int as kept from added where status <> 'Canceled'`
  return row!.kept
}

/** @returns the number of releases sent to stock. */
async function release(sql: Sql, holds: Hold[]): Promise<number> {
  const active = holds.filter((it) => rules[it.status].unknown === 'Canceled')
  const { count } = await sql`
    insert into outbox (partition, reservationid, resend_at)
    select partition, reservationid, clock_timestamp() from reservation
    where reservationid = any(${active.map((it) => it.reservationid)}::uuid[]) and status = 'Canceled'
    on conflict (partition, reservationid) do update set resend_at = excluded.resend_at`
  return count
}

/** @returns the customers of the reservations changed, one per reservation. */
async function adopt(sql: Sql, holds: Hold[]): Promise<string[]> {
  const changed = await sql<{ userid: string }[]>`
    update reservation r
    set userid = case r.userid when '' then h.userid else r.userid end, status = h.status, reason = h.reason, other = case h.status when 'Failed' then r.other end,
      place = coalesce(h.place, r.place), pickup_by = h.pickup_by::timestamptz, updated_at = clock_timestamp()
    from ${rows(sql, holds, {
      reservationid: 'uuid',
      userid: 'text',
      status: ['text', (it) => rules[it.status].becomes],
      even_canceled: ['bool', (it) => rules[it.status].evenCanceled ?? false],
      reason: 'text',
      place: 'bigint',
      pickup_by: 'text',
    })} as h
    where r.reservationid = h.reservationid and (r.status <> 'Canceled' or h.even_canceled)
      and (r.status <> h.status
        or h.status = 'Waiting' and r.place is distinct from h.place
        or h.status = 'Ready' and r.pickup_by is distinct from h.pickup_by::timestamptz)
    returning r.userid`
  return changed.map((row) => row.userid)
}

/** @returns the customers of the reservations that are Requested again, one per reservation. */
async function reopen(sql: Sql, reservationids: string[]): Promise<string[]> {
  const opened = await sql<{ userid: string }[]>`
    with opened as (
      update reservation set status = 'Requested', place = null, pickup_by = null, updated_at = clock_timestamp()
      where reservationid = any(${reservationids}::uuid[]) and status = any(${withHold}::text[]) and userid <> ''
      returning partition, reservationid, userid
    ), queued as (
      insert into outbox (partition, reservationid, resend_at)
      select partition, reservationid, clock_timestamp() from opened
      on conflict (partition, reservationid) do update set resend_at = excluded.resend_at
    )
    select userid from opened`
  return opened.map((row) => row.userid)
}
