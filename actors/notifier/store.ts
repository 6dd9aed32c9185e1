/** What the notifier writes in the commit that moves its offset, and reads to decide it. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { Contact } from './notice.ts'
import type { Plan, PlannedNotice } from './notifier.ts'

export async function readContacts(sql: Sql, userids: string[]): Promise<Map<string, Contact>> {
  if (userids.length === 0) return new Map()
  const rows = await sql<(Contact & { userid: string })[]>`
    select userid, email, webhook, locale from customer where userid = any(${userids}::text[])`
  return new Map(rows.map(({ userid, email, webhook, locale }) => [userid, { email, webhook, locale }]))
}

/** @param delayMs how long a notice rests before it is due. */
export function planWrites(sql: Sql, { notices, withdraws }: Plan, delayMs: number): Fragment[] {
  return [
    ...(notices.length > 0 ? [noted(sql, notices), queued(sql, delayMs)] : []),
    ...(withdraws.length > 0 ? [doomed(sql, withdraws), withdrawn(sql), superseded(sql)] : []),
  ]
}

const noted = (sql: Sql, notices: PlannedNotice[]) => sql`noted as (
  insert into notice (
    noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, superseded_at
  )
  select u.noticeid, u.kind, u.channel, u.bookid, u.userid, u.reservationid, u.reason, u.shortage, u.traceparent,
    case when late then 'superseded' else 'pending' end, case when late then clock_timestamp() end
  from unnest(
    ${notices.map((it) => it.partition)}::int[], ${notices.map((it) => it.noticeid)}::uuid[],
    ${notices.map((it) => it.kind)}::text[], ${notices.map((it) => it.channel)}::text[],
    ${notices.map((it) => it.bookid)}::text[], ${notices.map((it) => it.userid)}::text[],
    ${notices.map((it) => it.reservationid)}::uuid[], ${notices.map((it) => it.reason)}::text[],
    ${notices.map((it) => it.shortage)}::bigint[], ${notices.map((it) => it.traceparent)}::text[],
    ${notices.map((it) => it.superseded)}::boolean[], ${notices.map((it) => it.unless)}::uuid[]
  ) as u (
    partition, noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, superseded, unless
  )
  join fenced on fenced.partition = u.partition,
  lateral (select u.superseded or exists (select from notice c where c.noticeid = u.unless) as late) as l
  on conflict (noticeid) do nothing
  returning seq, channel, status
)`

const queued = (sql: Sql, delayMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at)
  select seq, channel, clock_timestamp() + ${delayMs}::float8 * interval '1 millisecond'
  from noted where status = 'pending'
)`

/** Locks in the order of seq, as marking does: two that meet wait for each other, never in a circle. */
const doomed = (sql: Sql, withdraws: Plan['withdraws']) => sql`doomed as materialized (
  select v.seq
  from unnest(
    ${withdraws.map((it) => it.noticeid)}::uuid[], ${withdraws.map((it) => it.partition)}::int[]
  ) as w (noticeid, partition)
  join fenced on fenced.partition = w.partition
  join notice n on n.noticeid = w.noticeid
  join undelivered v on v.seq = n.seq and v.due_at < 'infinity'
  order by v.seq
  for update of v
)`

const withdrawn = (sql: Sql) => sql`withdrawn as (
  delete from undelivered v using doomed d where v.seq = d.seq returning v.seq
)`

const superseded = (sql: Sql) => sql`superseded as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from withdrawn w where n.seq = w.seq
)`
