/** What the notifier writes in the commit that moves its offset, and reads to decide it. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { ChannelName } from './channels/all.ts'
import type { Contact } from './customers/customers.ts'
import { type Gathering, keyOf } from './plan/gather.ts'
import type { Plan, PlannedNotice } from './plan/plan.ts'

export { leasesLast } from '../../streams/lease.ts'

export async function readContacts(sql: Sql, userids: string[]): Promise<Map<string, Contact>> {
  if (userids.length === 0) return new Map()
  const rows = await sql<(Contact & { userid: string })[]>`
    select userid, email, webhook, phone, locale, to_json(channels) as channels
    from customer where userid = any(${userids}::text[])`
  return new Map(rows.map(({ userid, ...contact }) => [userid, contact]))
}

/** @returns which of these notices exist. */
export async function readKnown(sql: Sql, noticeids: string[]): Promise<Set<string>> {
  if (noticeids.length === 0) return new Set()
  const [found] = await sql<{ noticeids: string[] }[]>`
    select coalesce(json_agg(noticeid), '[]') as noticeids from notice where noticeid = any(${noticeids}::uuid[])`
  return new Set(found!.noticeids)
}

export type Rests = {
  /** How long a notice rests before it is due, milliseconds. */
  delayMs: number
  /** How long a request to buy does, so that others are added to it. */
  gatherMs: number
}

/**
 * The parts of the commit, in this order: each builds on those before. What there is nothing for is left out.
 * @param repeated whether some of the notices may exist already. Where none does none is looked for, which takes Postgres
 *   a tenth less.
 */
export function planWrites(
  sql: Sql,
  { notices, withdraws, orders }: Plan,
  gatherings: Gathering[],
  { delayMs, gatherMs }: Rests,
  repeated: boolean,
): Fragment[] {
  const gathers = gatherings.length > 0
  const ordered = new Set(orders.map((it) => keyOf(it.bookid)))
  return [
    ...(gathers ? [gathered(sql, gatherings, ordered), raised(sql)] : []),
    noted(sql, notices, { gathers, repeated }),
    gathers ? queuedOrGathering(sql, delayMs, gatherMs) : queued(sql, delayMs),
    ...(withdraws.length > 0 ? [doomed(sql, withdraws), withdrawn(sql), superseded(sql)] : []),
    ...(orders.length > 0 ? [bought(sql, orders)] : []),
  ]
}

/** How many notices of a channel were superseded by a commit. */
export type Superseded = { channel: ChannelName; superseded: number }

/** @returns a part of the commit that reports `Superseded`, one per channel. */
export const supersededResults = (sql: Sql, { withdraws, orders }: Plan): Fragment => sql`
  select null::int, json_build_object('channel', channel, 'superseded', count(*))
  from (
    select channel from noted where status = 'superseded'
    ${withdraws.length > 0 ? sql`union all select channel from superseded` : sql``}
    ${orders.length > 0 ? sql`union all select channel from bought` : sql``}
  ) as s group by channel`

/**
 * Requests to buy that nobody has tried to send yet, and what is added to each: nothing to one whose book was ordered
 * meanwhile. Locks in the order of seq, as marks do.
 */
const gathered = (
  sql: Sql,
  gatherings: Gathering[],
  ordered: ReadonlySet<string>,
) => sql`gatherings as materialized (
  select * from unnest(
    ${gatherings.map((it) => it.key)}::text[], ${gatherings.map((it) => it.partition)}::int[],
    ${gatherings.map((it) => it.shortage)}::bigint[], ${gatherings.map((it) => it.noticeid)}::uuid[],
    ${gatherings.map((it) => (ordered.has(it.key) ? 1 : 0))}::int[]
  ) as g (gathers, partition, shortage, noticeid, ordered)
  where g.partition = any(array(select partition from fenced))
), open_request as materialized (
  select v.seq, g.shortage, g.noticeid
  from gatherings g join undelivered v on v.gathers = g.gathers and v.attempts = 0
  where g.ordered = 0
  order by v.seq
  for update of v
)`

const raised = (sql: Sql) => sql`raised as (
  update notice n set shortage = n.shortage + o.shortage from open_request o where n.seq = o.seq
)`

const noted = (
  sql: Sql,
  notices: PlannedNotice[],
  { gathers, repeated }: { gathers: boolean; repeated: boolean },
) => sql`noted as (
  insert into notice (
    noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, superseded_at,
    attempts, sent_at
  )
  select u.noticeid, u.kind, u.channel, u.bookid, u.userid, u.reservationid, u.reason, u.shortage, u.traceparent,
    u.status, case u.status when 'superseded' then clock_timestamp() end,
    case u.status when 'sent' then 1 else 0 end, case u.status when 'sent' then clock_timestamp() end
  from unnest(
    ${notices.map((it) => it.partition)}::int[], ${notices.map((it) => it.noticeid)}::uuid[],
    ${notices.map((it) => it.kind)}::text[], ${notices.map((it) => it.channel)}::text[],
    ${notices.map((it) => it.bookid)}::text[], ${notices.map((it) => it.userid)}::text[],
    ${notices.map((it) => it.reservationid)}::uuid[], ${notices.map((it) => it.reason)}::text[],
    ${notices.map((it) => it.shortage)}::bigint[], ${notices.map((it) => it.traceparent)}::text[],
    ${notices.map((it) => (it.superseded ? 'superseded' : it.told ? 'sent' : 'pending'))}::text[]
  ) as u (
    partition, noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status
  )
  where u.partition = any(array(select partition from fenced))
    ${gathers ? sql`and not exists (select from open_request o where o.noticeid = u.noticeid)` : sql``}
  ${repeated ? sql`on conflict (noticeid) do nothing` : sql``}
  returning noticeid, seq, channel, status
)`

const queued = (sql: Sql, delayMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at)
  select seq, channel, clock_timestamp() + ${delayMs}::float8 * interval '1 millisecond'
  from noted where status = 'pending'
)`

const queuedOrGathering = (sql: Sql, delayMs: number, gatherMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at, gathers)
  select n.seq, n.channel, clock_timestamp() + interval '1 millisecond' *
    case when g.gathers is null then ${delayMs}::float8 else ${gatherMs}::float8 end, g.gathers
  from noted n left join gatherings g on g.noticeid = n.noticeid
  where n.status = 'pending'
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

/** Requests of earlier batches to buy what was ordered meanwhile. */
const bought = (sql: Sql, orders: Plan['orders']) => sql`needless as materialized (
  select v.seq
  from unnest(
    ${orders.map((it) => keyOf(it.bookid))}::text[], ${orders.map((it) => it.partition)}::int[]
  ) as o (gathers, partition)
  join undelivered v on v.gathers = o.gathers and v.due_at < 'infinity'
  where o.partition = any(array(select partition from fenced))
  order by v.seq
  for update of v
), dropped as (
  delete from undelivered v using needless d where v.seq = d.seq returning v.seq
), bought as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from dropped d where n.seq = d.seq
  returning n.channel
)`
