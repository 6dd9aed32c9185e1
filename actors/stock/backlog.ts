/** Holds and queues that wait for staff, for the clock or for copies, as metrics. At rest one statement finds nothing. */
import type { Metrics } from '../../platform/metrics.ts'
import { type BacklogItem, backlogItem, countMax } from '../../platform/operators/backlog-http.ts'
import type { Sql } from '../../streams/postgres.ts'
import { type Calendar, openMsBetween } from './deadline.ts'

/** Of which the reservations are counted. */
export const queuesMax = 10_000

export type Backlog = {
  /**
   * Since the oldest copy that is not on the hold shelf yet was set aside, on days that the library is open, seconds. Each of
   * these is 0 if there is none.
   */
  unshelved: number
  /** Since the first hold was due to expire: its deadline and the time of grace have passed. */
  overdue: number
  /** Since the oldest unfinished queue was left to the clock. */
  untended: number
  /** Reservations in the longest queues. */
  waiting: number
  /** Reservations in the longest queue. */
  longest: number
}

/** Reads one row of each index of claims, and the length of each queue. */
export async function readBacklog(sql: Sql, graceMs: number, calendar: Calendar): Promise<Backlog> {
  const [row] = await sql<(Omit<Backlog, 'unshelved'> & { since: Date | null; now: Date })[]>`
    select
      now() as now, (select since from claim where kind = 'held' order by since limit 1) as since,
      greatest(0, (select extract(epoch from now() - pickup_by)::float - ${graceMs}::float / 1000
        from claim where kind = 'ready' and pickup_by is not null order by pickup_by limit 1)) as overdue,
      greatest(0, (select extract(epoch from now() - since)::float from untended order by since limit 1)) as untended,
      coalesce(sum(waiting), 0)::bigint as waiting,
      coalesce(max(waiting), 0) as longest
    from (select waiting from book where waiting > 0 order by waiting desc limit ${queuesMax}) as queues`
  const { since, now, ...backlog } = row!
  return { unshelved: since === null ? 0 : openMsBetween(since, now, calendar) / 1_000, ...backlog }
}

export const backlogKinds = {
  UnshelvedCopies: 'copies that are set aside and not on the hold shelf yet',
  OverdueHolds: 'holds whose deadline and time of grace have passed. The clock ends them',
  UntendedQueues: 'queues that are not served or refused to their end yet',
}

/** @returns what waits for staff or for the clock, for operators. */
export async function backlogItems(sql: Sql, graceMs: number, calendar: Calendar): Promise<BacklogItem[]> {
  const { unshelved, overdue, untended } = await readBacklog(sql, graceMs, calendar)
  const [counts] = await sql<Record<'unshelved' | 'overdue' | 'untended', number>[]>`
    select
      (select count(*) from (select from claim where kind = 'held' limit ${countMax}) as c) as unshelved,
      (select count(*) from (select from claim where kind = 'ready' and pickup_by is not null
        and pickup_by <= now() - ${graceMs}::float * interval '1 millisecond' limit ${countMax}) as c) as overdue,
      (select count(*) from (select from untended limit ${countMax}) as c) as untended`
  return [
    backlogItem('UnshelvedCopies', counts!.unshelved, unshelved),
    backlogItem('OverdueHolds', counts!.overdue, overdue),
    backlogItem('UntendedQueues', counts!.untended, untended),
  ]
}

type Gauges = 'holdsUnshelved' | 'holdsOverdue' | 'queuesUntended' | 'reservationsWaiting' | 'queueLongest'

export async function watchBacklog(
  sql: Sql,
  graceMs: number,
  calendar: Calendar,
  metrics: Pick<Metrics, Gauges>,
): Promise<void> {
  const { unshelved, overdue, untended, waiting, longest } = await readBacklog(sql, graceMs, calendar)
  metrics.holdsUnshelved.set(unshelved)
  metrics.holdsOverdue.set(overdue)
  metrics.queuesUntended.set(untended)
  metrics.reservationsWaiting.set(waiting)
  metrics.queueLongest.set(longest)
}
