/**
 * The queues of books, as stock's events describe them: a projection from which positions are read.
 *
 * A reservation has its place for good, and a position is how many wait up to that place. Counting them one by one would be slow
 * for a queue of 100,000 customers who all ask at once. So a tally has the count of each chunk of 256 places: a position is the sum
 * of the chunks before its own, and a count within it. Position and length come from one snapshot, so it is never "4th of 3".
 *
 *   QP1. Queue and tally change in the commit of the events that change them, by what the queue has gained and lost.
 *   QP2. Each event says how many wait. If the tally has another sum after a batch, the next batch that changes the queue counts
 *       it again.
 *   QP3. A reservation waits while its row says so, or while stock has not confirmed its cancellation. A place of any other is
 *       removed when the queue is counted again: an event that was a dead letter, and is applied after later ones, may add one.
 *       No place is missing, because the commit that makes a row Waiting adds its place.
 */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { StockEvent } from '../messages.ts'
import type { Position, Status } from './reservation.ts'

const waiting: Status = 'Waiting'
const canceled: Status = 'Canceled'

/** A place that is taken or left. */
export type Step = { bookid: string; place: number; reservationid: string; waits: boolean }

/** A book whose queue changes, and how many wait then, as stock says. */
export type Length = { bookid: string; waiting: number }

/** @returns the last step of each place, because a statement can change a row only once, and the lengths after all steps. */
export function stepsOf(events: StockEvent[]): { steps: Step[]; lengths: Length[] } {
  const steps = new Map<string, Step>()
  const lengths = new Map<string, Length>()
  for (const event of events) {
    const step = stepOf(event)
    if (step) steps.set(`${step.place} ${step.bookid}`, step)
    const { bookid, waiting = 0 } = event
    if (step || lengths.has(bookid)) lengths.set(bookid, { bookid, waiting })
  }
  return { steps: [...steps.values()], lengths: [...lengths.values()] }
}

function stepOf(event: StockEvent): Step | undefined {
  switch (event.type) {
    case 'ReservationQueued':
    case 'CopyTakenBack':
      return stepTo(event, event.place, true)
    case 'CopyReserved':
      return event.waited ? stepTo(event, event.place, false) : undefined
    case 'ReservationRefused':
    case 'CopyReleased':
      return stepTo(event, event.place, false)
    default:
      return undefined
  }
}

const stepTo = (
  { bookid, reservationid }: { bookid: string; reservationid: string },
  place: number | undefined,
  waits: boolean,
): Step | undefined => (place === undefined ? undefined : { bookid, place, reservationid, waits })

type Owned<Item> = (Item & { partition: number })[]

/** Applies steps to queue and tally. @param recounted books whose queue is counted again. */
export function applySteps(
  sql: Sql,
  steps: Owned<Step>,
  lengths: Owned<Length>,
  recounted: Owned<{ bookid: string }>,
): Fragment {
  const columns = { bookid: 'text', place: 'bigint' } as const
  const gains = fencedRows(
    sql,
    steps.filter((it) => it.waits),
    { ...columns, reservationid: 'uuid' },
  )
  const losses = fencedRows(
    sql,
    steps.filter((it) => !it.waits),
    columns,
  )
  return sql`
  joined as (
    insert into queue (bookid, place, reservationid) select bookid, place, reservationid from ${gains} as g
    on conflict do nothing returning bookid, place
  ), parted as (
    delete from queue q using ${losses} as l where q.bookid = l.bookid and q.place = l.place
    returning q.bookid, q.place
  ), recounted as (
    select bookid from ${fencedRows(sql, recounted, { bookid: 'text' })} as r
  ), vacated as (
    -- Rows are read as they were before this statement, so the places that it adds are left alone.
    delete from queue q using recounted c
    where q.bookid = c.bookid and (q.bookid, q.place) not in (select bookid, place from ${gains} as g)
      and not exists (
        select from reservation r where r.reservationid = q.reservationid and (r.status = ${waiting}
          or r.status = ${canceled} and exists (
            select from outbox o where o.partition = r.partition and o.reservationid = r.reservationid
          ))
      )
    returning q.bookid, q.place
  ), tally_change as (
    -- Of a book that is counted again: all that wait.
    select bookid, place >> 8 as chunk, sum(change)::int as change from (
      select bookid, place, 1 as change from joined
      union all select bookid, place, -1 from parted
      union all select bookid, place, -1 from vacated
      union all select q.bookid, q.place, 1 from recounted c join queue q on q.bookid = c.bookid
    ) as changes
    group by 1, 2
  ), tallied as (
    insert into queue_tally as t (bookid, chunk, waiting) select bookid, chunk, change from tally_change
    on conflict (bookid, chunk) do update set waiting = excluded.waiting
      + case when t.bookid in (select bookid from recounted) then 0 else t.waiting end
  ), tidied as (
    -- Those that earlier batches have emptied.
    delete from queue_tally t using ${fencedRows(sql, lengths, { bookid: 'text' })} as l
    where t.bookid = l.bookid and (t.waiting = 0 or t.bookid in (select bookid from recounted))
      and (t.bookid, t.chunk) not in (select bookid, chunk from tally_change)
  ), drifted as (
    select bookid from (
      select bookid, waiting as missing from ${fencedRows(sql, lengths, { bookid: 'text', waiting: 'bigint' })} as l
      union all select bookid, -change from tally_change
      union all select t.bookid, -t.waiting
      from ${fencedRows(sql, lengths, { bookid: 'text' })} as l join queue_tally t on t.bookid = l.bookid
      where t.bookid not in (select bookid from recounted)
    ) as sums
    group by bookid having sum(missing) <> 0
  )`
}

/** Makes the commit return the books whose tally does not have the sum that stock says. */
export const reportDrift = (sql: Sql): Fragment => sql`
  select null::int, json_build_object('drifted', json_agg(bookid)) from drifted`

/** A column `queue` with the `Position` of a reservation `r` that waits, null for any other. */
export const positionIn = (sql: Sql): Fragment => sql`
  case r.status when ${waiting} then (
    select json_build_object(
      'position', coalesce(sum(t.waiting) filter (where t.chunk < r.place >> 8), 0) + (
        select count(*) from queue q
        where q.bookid = r.bookid and q.place between (r.place >> 8) << 8 and r.place
      ),
      'waiting', coalesce(sum(t.waiting), 0)
    )
    from queue_tally t where t.bookid = r.bookid
  ) end as queue`

/** @returns the positions of places of a book that still wait, by place: each chunk that has one of them is read once. */
export async function positionsOf(
  sql: Sql,
  bookid: string,
  places: number[],
): Promise<Map<number, Position>> {
  const rows = await sql<(Position & { place: number })[]>`
    select place, position, waiting from (
      select q.place, t.before + row_number() over (partition by t.chunk order by q.place) as position, t.waiting
      from (
        select chunk, sum(waiting) over (order by chunk) - waiting as before, sum(waiting) over () as waiting
        from queue_tally where bookid = ${bookid}
      ) as t
      join queue q on q.bookid = ${bookid} and q.place between t.chunk << 8 and (t.chunk << 8) + 255
      where t.chunk in (select place >> 8 from unnest(${places}::bigint[]) as p (place))
    ) as ranked
    where place = any(${places}::bigint[])`
  return new Map(rows.map(({ place, position, waiting }) => [place, { position, waiting }]))
}
