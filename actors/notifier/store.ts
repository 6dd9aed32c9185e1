/** The notifier's part of the commit that moves its offset, and the reads that the part depends on. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { ChannelName } from './channels/all.ts'
import type { Contact } from './customers/customers.ts'
import { type Gathering, keyOf } from './plan/gather.ts'
import type { Plan, PlannedNotice } from './plan/plan.ts'
import { pickupKeyOf } from './plan/supersession.ts'

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

/** @returns the reservations of these keys that have an unsent notice about a deadline from after that time, ISO 8601. */
export async function readNewerPickups(sql: Sql, keys: string[], after: string): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const rows = await sql<{ reservationid: string }[]>`
    select distinct n.reservationid from undelivered v join notice n on n.seq = v.seq
    where v.gathers = any(${keys}::text[]) and n.created_at > ${after}::text::timestamptz`
  return new Set(rows.map((it) => it.reservationid))
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
 *   saves Postgres a tenth of its work. So does an insert whose rows no other part reads.
 */
export function planWrites(
  sql: Sql,
  plan: Plan,
  gatherings: Gathering[],
  { delayMs, gatherMs }: Delays,
  mayExist: boolean,
): Fragment[] {
  const { notices, withdrawals, orders } = plan
  const gathers = gatherings.length > 0
  const someWait = gatherings.some((it) => it.waiting !== null)
  const detailed = notices.some((it) => it.details)
  const waits = notices.some((it) => statusOf(it) === 'pending')
  const keys = keysOf(plan)
  const ordered = new Set(orders.flatMap((it) => (it.ofQueue ? [] : [keyOf(it.bookid)])))
  return [
    ...(gathers ? [openRequests(sql, gatherings, ordered, someWait), raised(sql, someWait)] : []),
    inserted(sql, notices, { gathers, mayExist, detailed, read: waits || supersedes(plan) }),
    ...(!waits
      ? []
      : gathers || detailed
        ? [queuedWithKeys(sql, { delayMs, gatherMs }, { gathers, detailed })]
        : [queued(sql, delayMs)]),
    ...(withdrawals.length > 0 ? [toSupersede(sql, withdrawals), supersededOutcomes(sql)] : []),
    ...(keys.length > 0 ? [supersededByKey(sql, keys)] : []),
  ]
}

/** Of the purchase requests, reminders and extensions of earlier batches that are no longer true. */
const keysOf = ({ orders, pickups }: Plan): Key[] => [
  ...orders.map(({ bookid, partition, ofQueue }) => ({ key: keyOf(bookid), partition, ofQueue })),
  ...pickups.map(({ reservationid, partition }) => ({ key: pickupKeyOf(reservationid), partition })),
]

/** @property ofQueue if a request that has refusals stays. */
type Key = { key: string; partition: number; ofQueue?: true | undefined }

/** How many notices of a channel a commit superseded. */
export type Superseded = { channel: ChannelName; superseded: number }

/** Whether the plan makes any notice untrue before it is sent. In a rush hardly any does. */
const supersedes = ({ notices, withdrawals, orders, pickups }: Plan): boolean =>
  withdrawals.length + orders.length + pickups.length > 0 || notices.some((it) => it.superseded)

/** @returns a part of the commit that reports one `Superseded` per channel; undefined if there can be none. */
export const supersededResults = (sql: Sql, plan: Plan): Fragment | undefined =>
  supersedes(plan)
    ? sql`
  select null::int, json_build_object('channel', channel, 'superseded', count(*))
  from (
    select channel from inserted where status = 'superseded'
    ${plan.withdrawals.length > 0 ? sql`union all select channel from superseded_outcomes` : sql``}
    ${keysOf(plan).length > 0 ? sql`union all select channel from superseded_by_key` : sql``}
  ) as s group by channel`
    : undefined

const gathered = (ordered: ReadonlySet<string>) =>
  ({
    gathers: ['text', (it: Gathering) => it.key],
    shortage: 'bigint',
    noticeid: 'uuid',
    ordered: ['int', (it: Gathering) => (ordered.has(it.key) ? 1 : 0)],
  }) as const

/**
 * Purchase requests without a delivery attempt, and what is added to each. A request whose book was ordered gets
 * nothing. Rows are locked in the order of seq, as in every statement on `undelivered`.
 */
const openRequests = (
  sql: Sql,
  gatherings: Gathering[],
  ordered: ReadonlySet<string>,
  someWait: boolean,
) => sql`gatherings as materialized (
  select * from ${
    someWait
      ? fencedRows(sql, gatherings, { ...gathered(ordered), waiting: 'bigint' })
      : fencedRows(sql, gatherings, gathered(ordered))
  } as g
), open_request as materialized (
  select v.seq, g.shortage, g.noticeid${someWait ? sql`, g.waiting` : sql``}
  from gatherings g join undelivered v on v.gathers = g.gathers and v.attempts = 0
  where g.ordered = 0
  order by v.seq
  for update of v
)`

const raised = (sql: Sql, someWait: boolean) => sql`raised as (
  update notice n set shortage = n.shortage + o.shortage ${someWait ? waitingOf(sql) : sql``}
  from open_request o where n.seq = o.seq
)`

const waitingOf = (sql: Sql) => sql`,
    details = case when o.waiting is null then n.details
      else jsonb_build_object('type', 'purchase', 'waiting', o.waiting) end`

const columns = {
  noticeid: 'uuid',
  kind: 'text',
  channel: 'text',
  bookid: 'text',
  userid: 'text',
  reservationid: 'uuid',
  reason: 'text',
  shortage: 'bigint',
  traceparent: 'text',
  status: ['text', (notice: PlannedNotice) => statusOf(notice)],
} as const

const inserted = (
  sql: Sql,
  notices: PlannedNotice[],
  { gathers, mayExist, detailed, read }: Record<'gathers' | 'mayExist' | 'detailed' | 'read', boolean>,
) => sql`inserted as (
  insert into notice (
    noticeid, kind, channel, bookid, userid, reservationid, reason, shortage, traceparent, status, superseded_at,
    attempts, sent_at ${detailed ? sql`, details` : sql``}
  )
  select p.noticeid, p.kind, p.channel, p.bookid, p.userid, p.reservationid, p.reason, p.shortage, p.traceparent,
    p.status, case p.status when 'superseded' then clock_timestamp() end,
    case p.status when 'sent' then 1 else 0 end, case p.status when 'sent' then clock_timestamp() end ${detailed ? sql`, p.details::jsonb` : sql``}
  from ${detailed ? fencedRows(sql, notices, { ...columns, details: ['text', detailsOf] }) : fencedRows(sql, notices, columns)} as p
  ${gathers ? sql`where not exists (select from open_request o where o.noticeid = p.noticeid)` : sql``}
  ${mayExist ? sql`on conflict (noticeid) do nothing` : sql``}
  ${read ? sql`returning noticeid, seq, channel, status ${detailed ? sql`, kind, reservationid, details` : sql``}` : sql``}
)`

const statusOf = ({ superseded, printed }: PlannedNotice) =>
  superseded ? 'superseded' : printed ? 'sent' : 'pending'

const detailsOf = ({ details }: PlannedNotice) => (details ? JSON.stringify(details) : null)

const queued = (sql: Sql, delayMs: number) => sql`queued as (
  insert into undelivered (seq, channel, due_at)
  select seq, channel, clock_timestamp() + ${delayMs}::float8 * interval '1 millisecond'
  from inserted where status = 'pending'
)`

/** A purchase request waits to be gathered, and a reminder until it is due. Both can be found by key, like extensions. */
const queuedWithKeys = (
  sql: Sql,
  { delayMs, gatherMs }: Delays,
  { gathers, detailed }: { gathers: boolean; detailed: boolean },
) => sql`queued as (
  insert into undelivered (seq, channel, due_at, gathers)
  select n.seq, n.channel,
    ${detailed ? sql`coalesce((n.details->>'remindAt')::timestamptz, ` : sql`(`}clock_timestamp() + interval '1 millisecond' *
    ${gathers ? sql`case when g.gathers is null then ${delayMs}::float8 else ${gatherMs}::float8 end` : sql`${delayMs}::float8`}),
    ${gathers ? sql`coalesce(g.gathers, ` : sql`(`}${detailed ? pickupKey(sql) : sql`null::text`})
  from inserted n ${gathers ? sql`left join gatherings g on g.noticeid = n.noticeid` : sql``}
  where n.status = 'pending'
)`

/** As `pickupKeyOf` makes it. */
const pickupKey = (sql: Sql) => sql`
  case when n.kind in ('reminder', 'extended') then 'pickup/' || n.reservationid end`

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

const supersededByKey = (sql: Sql, keys: Key[]) => sql`found_by_key as materialized (
  select v.seq
  from ${
    keys.some((it) => it.ofQueue)
      ? sql`${fencedRows(sql, keys, {
          gathers: ['text', (it) => it.key],
          of_queue: ['bool', (it) => it.ofQueue ?? false],
        })} as k
  join undelivered v on v.gathers = k.gathers and v.due_at < 'infinity'
    and (not k.of_queue or exists (select from notice n where n.seq = v.seq and n.shortage = 0))`
      : sql`${fencedRows(sql, keys, { gathers: ['text', (it) => it.key] })} as k
  join undelivered v on v.gathers = k.gathers and v.due_at < 'infinity'`
  }
  order by v.seq
  for update of v
), dropped_by_key as (
  delete from undelivered v using found_by_key k where v.seq = k.seq returning v.seq
), superseded_by_key as (
  update notice n set status = 'superseded', superseded_at = clock_timestamp() from dropped_by_key d
  where n.seq = d.seq
  returning n.channel
)`
