/** The decision, for every contender whose books are in Postgres. */
import type { Decision } from '../../bench/baseline/face.ts'

export type Wish = { id: string; bookid: string; userid: string }

/**
 * One statement, which is atomic. Jobs may run twice, so an existing reservation is not made again.
 * Parameters: id, bookid, userid. Returns no row for an existing reservation.
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
  throw new Error('Cannot return the decision: the job ran before')
}

/** The number of queues of a contender with numbered queues. */
export const queues = 16
