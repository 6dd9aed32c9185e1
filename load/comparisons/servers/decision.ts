/** The decision itself, as every contender that keeps its books in Postgres makes it. */
import type { Decision } from '../../bench/baseline/face.ts'

export type Wish = { id: string; bookid: string; userid: string }

/**
 * One statement, atomic by itself. Jobs may run twice, so a reservation that is there already is not made again.
 * Parameters: id, bookid, userid. Returns no row for one that is there.
 */
export const decideSql = `
  with taken as (
    update stock set qty = qty - 1
    where bookid = $2 and qty > 0 and not exists (select from reservation where id = $1::uuid)
    returning bookid
  )
  insert into reservation (id, bookid, userid, status)
  values ($1::uuid, $2, $3, case when exists (select from taken) then 'Reserved' else 'Failed' end)
  on conflict (id) do nothing
  returning status`

export const statusOf = (rows: readonly { status?: string }[]): Decision => {
  const [row] = rows
  if (row?.status === 'Reserved' || row?.status === 'Failed') return row.status
  throw new Error('Cannot tell the decision: the job ran before')
}

/** How many queues, or kinds of turns, there are where a contender has them by number. */
export const queues = 16
