/**
 * Reconciles reservations with stock's holds after only one of their databases was restored. Stock's holds decide; where
 * stock must act, it is sent the usual commands through the outbox.
 *
 *   reservation            hold       becomes
 *   unknown                held       Canceled: stock is sent a release
 *   Canceled               held       unchanged: stock is sent the release again
 *   Requested, Reserved    released   Canceled: the customer canceled it after the backup
 *   Reserved               refused    Failed
 *   Reserved               none       Requested: stock decides it again
 */
import { partitionOf } from '../../../streams/partition.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Databases } from './installation.ts'
import { lowestUuid, pageMax, pages } from './pages.ts'

export type Hold = {
  reservationid: string
  bookid: string
  userid: string
  status: 'held' | 'refused' | 'released'
  reason: string | null
}

export type Reconciled = {
  /** Copies that stock will release. */
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
    const held = holds.filter((hold) => hold.status === 'held')
    reconciled.released += await release(reservation, held, partitions)
    reconciled.adopted += await adopt(
      reservation,
      holds.filter((hold) => hold.status !== 'held'),
    )
  }
  for await (const reserved of pages(lowestUuid, idOf, (after) => allReserved(reservation, after))) {
    const holds = await knownIn(stock, 'hold', reserved.map(idOf))
    const open = reserved.map(idOf).filter((id) => !holds.has(id))
    if (open.length > 0) reconciled.reopened += await reopen(reservation, open)
  }
  return reconciled
}

const allHolds = (sql: Sql, after: string): Promise<Hold[]> => sql<Hold[]>`
  select reservationid, bookid, userid, status, reason from hold
  where reservationid > ${after} order by reservationid limit ${pageMax}`

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
const allReserved = (sql: Sql, after: string): Promise<{ reservationid: string }[]> => sql<
  { reservationid: string }[]
>`
  select reservationid from reservation
  where reservationid > ${after} and status = 'Reserved' order by reservationid limit ${pageMax}`

/** @returns the number of releases sent to stock. */
async function release(sql: Sql, holds: Hold[], partitions: number): Promise<number> {
  const { count } = await sql`
    with held as (
      select * from ${rows(sql, holds, {
        reservationid: 'uuid',
        bookid: 'text',
        userid: 'text',
        partition: ['int', (it) => partitionOf(it.bookid, partitions)],
      })} as h
    ), added as (
      insert into reservation (reservationid, bookid, userid, partition, status)
      select reservationid, bookid, userid, partition, 'Canceled' from held
      on conflict (reservationid) do nothing
      returning reservationid, partition
    )
    insert into outbox (partition, reservationid, resend_at)
    select partition, reservationid, clock_timestamp() from added
    union all
    select r.partition, r.reservationid, clock_timestamp() from held h
    join reservation r on r.reservationid = h.reservationid and r.status = 'Canceled'
    on conflict (partition, reservationid) do update set resend_at = excluded.resend_at`
  return count
}

/** @returns the number of reservations changed. */
async function adopt(sql: Sql, holds: Hold[]): Promise<number> {
  const { count } = await sql`
    update reservation r
    set status = case h.status when 'released' then 'Canceled' else 'Failed' end, reason = h.reason,
      updated_at = clock_timestamp()
    from ${rows(sql, holds, { reservationid: 'uuid', status: 'text', reason: 'text' })} as h
    where r.reservationid = h.reservationid
      and (r.status = 'Reserved' or r.status = 'Requested' and h.status = 'released')`
  return count
}

/** @returns the number of reservations that are Requested again. */
async function reopen(sql: Sql, reservationids: string[]): Promise<number> {
  const { count } = await sql`
    with opened as (
      update reservation set status = 'Requested', updated_at = clock_timestamp()
      where reservationid = any(${reservationids}::uuid[]) and status = 'Reserved'
      returning partition, reservationid
    )
    insert into outbox (partition, reservationid, resend_at)
    select partition, reservationid, clock_timestamp() from opened
    on conflict (partition, reservationid) do update set resend_at = excluded.resend_at`
  return count
}
