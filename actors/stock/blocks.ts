/**
 * Reservations whose copies are not handed over, because their customer is blocked. Stock knows no customers: the reservation
 * service names each reservation (`unanswered.ts` there). The row stays when the hold is over, until its customer is forgotten.
 */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { EndedRow } from './store.ts'

/** Null: the block has ended. */
export type BlockRow = EndedRow & { block: { until: string | null } | null }

export const upsertBlocks = (sql: Sql, blocks: BlockRow[]): Fragment => sql`
  upserted_blocks as (
    insert into blocked_hold (reservationid, until)
    select reservationid, until::timestamptz from ${fencedRows(sql, blocks, {
      reservationid: 'uuid',
      until: ['text', ({ block }) => block!.until],
    })} as b
    on conflict (reservationid) do update set until = excluded.until
  )`

export const deleteBlocks = (sql: Sql, ended: EndedRow[]): Fragment => sql`
  deleted_blocks as (
    delete from blocked_hold b using ${fencedRows(sql, ended, { reservationid: 'uuid' })} as e
    where b.reservationid = e.reservationid
  )`
