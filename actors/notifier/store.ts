/** The notifier's part of the commit that moves its offset, and the reads that the part depends on. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { ChannelName } from './channels/all.ts'
import type { Contact } from './customers/customers.ts'
import { type Gathering, keyOf } from './plan/gather.ts'
import type { Plan, PlannedNotice } from './plan/plan.ts'

export async function readContacts(sql: Sql, userids: string[]): Promise<Map<string, Contact>> {
  if (userids.length === 0) return new Map()
  const rows = await sql<(Contact & { userid: string })[]>`
    select userid, email, webhook, phone, locale, to_json(channels) as channels
    from customer where userid = any(${userids}::text[])`
  return new Map(rows.map(({ userid, ...contact }) => [userid, contact]))
}

/** @returns which of these notices exist. */
export async function readExisting(sql: Sql, noticeids: string[]): Promise<Set<string>> {
  if (noticeids.length === 0) return new Set()
  const [found] = await sql<{ noticeids: string[] }[]>`
    select coalesce(json_agg(noticeid), '[]') as noticeids from notice where noticeid = any(${noticeids}::uuid[])`
  return new Set(found!.noticeids)
}

/** How long notices wait before they are due, milliseconds. */
export type Delays = {
  delayMs: number
  /** For a purchase request, so that others can be added to it. */
  gatherMs: number
}

/**
 * The parts of the commit. Each builds on those before it; parts without rows are left out.
 * @param mayExist whether some of the notices may exist already. If none can, the insert skips the conflict check, which
 *   saves Postgres a tenth of its work.
 */
export function planWrites(
  sql: Sql,
  { notices, withdrawals, orders }: Plan,
  gatherings: Gathering[],
  { delayMs, gatherMs }: Delays,
  mayExist: boolean,
): Fragment[] {
  const gathers = gatherings.length > 0
  const ordered = new Set(orders.map((it) => keyOf(it.bookid)))
  return [
    ...(gathers ? [openRequests(sql, gatherings, ordered), raised(sql)] : []),
    inserted(sql, notices, { gathers, mayExist }),
    gathers ? queuedOrGathering(sql, delayMs, gatherMs) : queued(sql, delayMs),
    ...(withdrawals.length > 0 ? [toSupersede(sql, withdrawals), supersededOutcomes(sql)] : []),
    ...(orders.length > 0 ? [supersededRequests(sql, orders)] : []),
  ]
}

/** How many notices of a channel a commit superseded. */
export type Superseded = { channel: ChannelName; superseded: number }

/** @returns a part of the commit that reports one `Superseded` per channel. */
export const supersededResults = (sql: Sql, { withdrawals, orders }: Plan): Fragment => sql`
  select null::int, json_build_object('channel', channel, 'superseded', count(*))
  from (
    select channel from inserted where status = 'superseded'
    ${withdrawals.length > 0 ? sql`union all select channel from superseded_outcomes` : sql``}
    ${orders.length > 0 ? sql`union all select channel from superseded_requests` : sql``}
  ) as s group by channel`

/**
 * Purchase requests without a delivery attempt, and what is added to each. A request whose book was ordered gets
 * nothing. Rows are locked in the order of seq, as in every statement on `undelivered`.
 */
const openRequests = (
  sql: Sql,
  gatherings: Gathering[],
  ordered: ReadonlySet<string>,
) => sql`gatherings as materialized (
  select * from ${fencedRows(sql, gatherings, {
    gathers: ['text', (it) => it.key],
    shortage: 'bigint',
    noticeid: 'uuid',
    ordered: ['int', (it) => (ordered.has(it.key) ? 1 : 0)],
  })} as g
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

const inserted = (
  sql: Sql,
  notices: PlannedNotice[],
  { gathers, mayExist }: { gathers: boolean; mayExist: boolean },
) => sql`inserted as (
  insert into notice (
    noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, superseded_at,
    attempts, sent_at
  )
  select p.noticeid, p.kind, p.channel, p.bookid, p.userid, p.reservationid, p.reason, p.shortage, p.traceparent,
    p.status, case p.status when 'superseded' then clock_timestamp() end,
    case p.status when 'sent' then 1 else 0 end, case p.status when 'sent' then clock_timestamp() end
  from ${fencedRows(sql, notices, {
    noticeid: 'uuid',
    kind: 'text',
    channel: 'text',
    bookid: 'text',
    userid: 'text',
    reservationid: 'uuid',
    reason: 'text',
    shortage: 'bigint',
    traceparent: 'text',
    status: ['text', statusOf],
  })} as p
  ${gathers ? sql`where not exists (select from open_request o where o.noticeid = p.noticeid)` : sql``}
  ${mayExist ? sql`on conflict (noticeid) do nothing` : sql``}
  returning noticeid, seq, channel, status
)`

const statusOf = ({ superseded, printed }: PlannedNotice) =>
  superseded ? 'superseded' : printed ? 'sent' : 'pending'

const queued = (sql: Sql, delayMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at)
  select seq, channel, clock_timestamp() + ${delayMs}::float8 * interval '1 millisecond'
  from inserted where status = 'pending'
)`

const queuedOrGathering = (sql: Sql, delayMs: number, gatherMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at, gathers)
  select n.seq, n.channel, clock_timestamp() + interval '1 millisecond' *
    case when g.gathers is null then ${delayMs}::float8 else ${gatherMs}::float8 end, g.gathers
  from inserted n left join gatherings g on g.noticeid = n.noticeid
  where n.status = 'pending'
)`

/** Locks in the order of seq, so that this commit and a dispatcher that records results never wait in a circle. */
const toSupersede = (sql: Sql, withdrawals: Plan['withdrawals']) => sql`to_supersede as materialized (
  select v.seq
  from ${fencedRows(sql, withdrawals, { noticeid: 'uuid' })} as w
  join notice n on n.noticeid = w.noticeid
  join undelivered v on v.seq = n.seq and v.due_at < 'infinity'
  order by v.seq
  for update of v
)`

const supersededOutcomes = (sql: Sql) => sql`withdrawn as (
  delete from undelivered v using to_supersede s where v.seq = s.seq returning v.seq
), superseded_outcomes as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from withdrawn w where n.seq = w.seq
  returning n.channel
)`

/** Purchase requests of earlier batches whose book was ordered since. */
const supersededRequests = (sql: Sql, orders: Plan['orders']) => sql`ordered_requests as materialized (
  select v.seq
  from ${fencedRows(sql, orders, { gathers: ['text', (it) => keyOf(it.bookid)] })} as o
  join undelivered v on v.gathers = o.gathers and v.due_at < 'infinity'
  order by v.seq
  for update of v
), dropped_requests as (
  delete from undelivered v using ordered_requests o where v.seq = o.seq returning v.seq
), superseded_requests as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from dropped_requests d
  where n.seq = d.seq
  returning n.channel
)`
