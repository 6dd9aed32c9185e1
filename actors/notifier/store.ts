/** What the notifier writes in the commit that moves its offset, and reads to decide it. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { ChannelName, Contact } from './notice.ts'
import type { Plan, PlannedNotice } from './notifier.ts'

export async function readContacts(sql: Sql, userids: string[]): Promise<Map<string, Contact>> {
  if (userids.length === 0) return new Map()
  const rows = await sql<(Contact & { userid: string })[]>`
    select userid, email, webhook, locale from customer where userid = any(${userids}::text[])`
  return new Map(rows.map(({ userid, email, webhook, locale }) => [userid, { email, webhook, locale }]))
}

/** @returns whether the worker owns all of these partitions, and for at least so much longer. */
export async function leasesLast(
  sql: Sql,
  worker: string,
  partitions: number[],
  marginMs: number,
): Promise<boolean> {
  const rows = await sql`
    select from mailbox where partition = any(${partitions}::int[]) and owner = ${worker}
      and lease_until > clock_timestamp() + ${marginMs}::float8 * interval '1 millisecond'`
  return rows.length === partitions.length
}

/** @returns which of these notices exist. */
export async function readKnown(sql: Sql, noticeids: string[]): Promise<Set<string>> {
  const [found] = await sql<{ noticeids: string[] }[]>`
    select coalesce(json_agg(noticeid), '[]') as noticeids from notice where noticeid = any(${noticeids}::uuid[])`
  return new Set(found!.noticeids)
}

/**
 * The parts of the commit, in this order: each builds on those before.
 * @param delayMs how long a notice rests before it is due.
 */
export const planWrites = (sql: Sql, { notices, withdraws }: Plan, delayMs: number): Fragment[] => [
  noted(sql, notices),
  queued(sql, delayMs),
  doomed(sql, withdraws),
  withdrawn(sql),
  superseded(sql),
]

/** How many notices of a channel were superseded by a commit. */
export type Superseded = { channel: ChannelName; superseded: number }

/** @returns a part of the commit that reports `Superseded`, one per channel. */
export const supersededResults = (sql: Sql): Fragment => sql`
  select null::int, json_build_object('channel', channel, 'superseded', count(*))
  from (
    select channel from noted where status = 'superseded' union all select channel from superseded
  ) as s group by channel`

/** `offset 0`: or a plan that is made while there are few notices would read all of them, and be kept when there are many. */
const noted = (sql: Sql, notices: PlannedNotice[]) => sql`noted as (
  insert into notice (
    noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, superseded_at,
    attempts, sent_at
  )
  select u.noticeid, u.kind, u.channel, u.bookid, u.userid, u.reservationid, u.reason, u.shortage, u.traceparent,
    case when late then 'superseded' else u.status end, case when late then clock_timestamp() end,
    case u.status when 'sent' then 1 else 0 end, case u.status when 'sent' then clock_timestamp() end
  from unnest(
    ${notices.map((it) => it.partition)}::int[], ${notices.map((it) => it.noticeid)}::uuid[],
    ${notices.map((it) => it.kind)}::text[], ${notices.map((it) => it.channel)}::text[],
    ${notices.map((it) => it.bookid)}::text[], ${notices.map((it) => it.userid)}::text[],
    ${notices.map((it) => it.reservationid)}::uuid[], ${notices.map((it) => it.reason)}::text[],
    ${notices.map((it) => it.shortage)}::bigint[], ${notices.map((it) => it.traceparent)}::text[],
    ${notices.map((it) => (it.superseded ? 'superseded' : it.told ? 'sent' : 'pending'))}::text[], ${notices.map((it) => it.unless)}::uuid[]
  ) as u (
    partition, noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, unless
  ),
  lateral (select u.status = 'superseded' or exists (select from notice c where c.noticeid = u.unless offset 0) as late) as l
  where u.partition = any(array(select partition from fenced))
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
  join notice n on n.noticeid = w.noticeid
  join undelivered v on v.seq = n.seq and v.due_at < 'infinity'
  where w.partition = any(array(select partition from fenced))
  order by v.seq
  for update of v
)`

const withdrawn = (sql: Sql) => sql`withdrawn as (
  delete from undelivered v using doomed d where v.seq = d.seq returning v.seq
)`

const superseded = (sql: Sql) => sql`superseded as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from withdrawn w where n.seq = w.seq
  returning n.channel
)`
