/**
 * The queue of a channel: claiming what is due, marking what came of it.
 *
 * Q1. A claim is a lease: it moves the notice into the future and counts an attempt. When the dispatcher dies, the
 *     notice is due again after the lease, with the same noticeid.
 * Q2. A claim that ran out marks nothing but `sent`: what was told stays told, whoever told it.
 * Q3. A channel that refuses for good hands the notice on to the next, under the same noticeid; the last one ends it.
 * Q4. Claims skip what others have locked; marks lock in the order of seq. So nobody waits in a circle.
 */
import type { Sql } from '../../../streams/postgres.ts'
import type { ChannelName, PersonalChannel } from '../channels/all.ts'
import type { Addresses } from '../plan/notice.ts'
import { logAttempts } from './attempts.ts'
import type { DueNotice } from './delivery.ts'
import { type FailureNotices, failureParts } from './failures.ts'

/** A notice that is due and claimed, with what is known of its customer, and what decides where it goes next. */
export type Claimed = Omit<DueNotice, keyof Addresses | 'locale'> &
  Addresses & {
    locale: string | null
    /** The order that the customer chose. */
    channels: PersonalChannel[] | null
    /** The channels that refused it for good. */
    refused: ChannelName[]
    /** Whether an operator had it tried again. */
    retried: boolean
    /** For how long it is being tried, since it was noted or tried again, milliseconds. */
    ageMs: number
  }

/** Claims up to `count` notices that are due, oldest first. */
export async function claimDue(
  sql: Sql,
  channel: ChannelName,
  count: number,
  leaseMs: number,
): Promise<Claimed[]> {
  // now() and not clock_timestamp(): an index can only be searched for a value that stands still.
  return await sql<Claimed[]>`
    with due as materialized (
      select seq from undelivered
      where channel = ${channel} and due_at <= now()
      order by due_at limit ${count}
      for update skip locked
    ), claimed as (
      update undelivered u
      set due_at = clock_timestamp() + ${leaseMs}::float8 * interval '1 millisecond', attempts = u.attempts + 1
      from due where u.seq = due.seq
      returning u.seq, u.attempts, u.refused
    )
    select n.noticeid, n.seq, c.attempts, n.kind, n.bookid, n.userid, n.reservationid, n.reason, n.shortage, n.details,
      n.traceparent, n.created_at as "createdAt", n.retried_at is not null as retried,
      extract(epoch from clock_timestamp() - coalesce(n.retried_at, n.created_at))::float * 1000 as "ageMs",
      coalesce(to_json(c.refused), '[]') as refused, w.email, w.webhook, w.phone, w.locale, to_json(w.channels) as channels
    from claimed c
    join notice n on n.seq = c.seq
    left join customer w on w.userid = n.userid
    order by n.seq`
}

/** @returns for how many seconds the notice of the channel that is due first has been due: 0 if none is. */
export async function overdueSeconds(sql: Sql, channel: ChannelName): Promise<number> {
  // now() and not clock_timestamp(): an index can only be searched for a value that stands still.
  const [row] = await sql<{ seconds: number }[]>`
    select coalesce(extract(epoch from now() - min(due_at)), 0)::float as seconds
    from undelivered where channel = ${channel} and due_at <= now()`
  return row!.seconds
}

/** Makes claims last anew, as long as they have not run out and been made by somebody else. */
export async function renewClaims(
  sql: Sql,
  claims: { seq: number; attempts: number }[],
  leaseMs: number,
): Promise<void> {
  await sql`
    with held as materialized (
      select u.seq
      from unnest(
        ${claims.map((it) => it.seq)}::bigint[], ${claims.map((it) => it.attempts)}::int[]
      ) as r (seq, attempts)
      join undelivered u on u.seq = r.seq and u.attempts = r.attempts
      order by u.seq
      for update of u
    )
    update undelivered u set due_at = clock_timestamp() + ${leaseMs}::float8 * interval '1 millisecond'
    from held h where u.seq = h.seq`
}

export type Mark = {
  seq: number
  /** As claimed. */
  attempts: number
  /** By which it was tried. */
  channel: ChannelName
  /** `fallback`: the channel refused it for good, and it goes on to the next. `superseded`: it is not true any more. */
  outcome: 'sent' | 'retry' | 'fallback' | 'failed' | 'deferred' | 'superseded'
  next: ChannelName | null
  error: string | null
  /** What the receiver said. */
  answer: string | null
  /** Until the next attempt. */
  afterMs: number
}

/**
 * Marks what came of notices of one channel and logs the attempts, all in one statement.
 * @param tell who is told of those that are given up.
 */
export async function markAll(sql: Sql, marks: Mark[], tell?: FailureNotices): Promise<void> {
  const ordered = marks.toSorted((a, b) => a.seq - b.seq)
  const failing = tell && tell.channels.length > 0 && marks.some((it) => it.outcome === 'failed')
  const marked = await sql<{ seq: number }[]>`
    with told as materialized (
      select * from unnest(
        ${ordered.map((it) => it.seq)}::bigint[], ${ordered.map((it) => it.attempts)}::int[],
        ${ordered.map((it) => it.channel)}::text[], ${ordered.map((it) => it.outcome)}::text[],
        ${ordered.map((it) => it.next)}::text[], ${ordered.map((it) => it.error)}::text[],
        ${ordered.map((it) => it.answer)}::text[], ${ordered.map((it) => it.afterMs)}::float8[]
      ) as r (seq, attempts, channel, outcome, next, error, answer, after_ms)
    ), held as materialized (
      select u.seq, r.attempts, r.channel, r.outcome, r.next, r.error, r.after_ms
      from told r
      join undelivered u on u.seq = r.seq and (u.attempts = r.attempts or r.outcome = 'sent')
      order by u.seq
      for update of u
    ), done as (
      delete from undelivered u using held h where u.seq = h.seq and h.outcome in ('sent', 'superseded')
    ), kept as (
      update undelivered u
      set due_at = case h.outcome when 'failed' then 'infinity'
          else clock_timestamp() + h.after_ms * interval '1 millisecond' end,
        attempts = case h.outcome when 'deferred' then h.attempts - 1 else h.attempts end,
        channel = coalesce(h.next, u.channel),
        refused = case when h.next is null then u.refused else array_append(u.refused, h.channel) end
      from held h where u.seq = h.seq and h.outcome not in ('sent', 'superseded')
    ), logged as (${logAttempts(sql)})
    ${failing ? sql`, ${failureParts(sql, marks[0]!.channel, tell)}` : sql``}
    update notice n
    set status = case when h.outcome in ('sent', 'failed', 'superseded') then h.outcome else 'pending' end,
      channel = coalesce(h.next, case h.outcome when 'sent' then h.channel end, n.channel),
      attempts = case when h.outcome in ('deferred', 'superseded') then h.attempts - 1 else h.attempts end,
      last_error = h.error,
      sent_at = case h.outcome when 'sent' then clock_timestamp() end,
      superseded_at = case h.outcome when 'superseded' then clock_timestamp() end
    from held h where n.seq = h.seq
    returning n.seq`
  if (marked.length === ordered.length) return
  const seen = new Set(marked.map((it) => it.seq))
  const missed = ordered.filter((it) => it.outcome === 'sent' && !seen.has(it.seq))
  if (missed.length > 0) await toldAfterAll(sql, missed)
}

/** A notice that was superseded or suppressed while it was on its way: it was told, and that is what its row says. */
async function toldAfterAll(sql: Sql, marks: Mark[]): Promise<void> {
  await sql`
    update notice n
    set status = 'sent', channel = r.channel, attempts = r.attempts, sent_at = clock_timestamp(), superseded_at = null
    from unnest(
      ${marks.map((it) => it.seq)}::bigint[], ${marks.map((it) => it.attempts)}::int[],
      ${marks.map((it) => it.channel)}::text[]
    ) as r (seq, attempts, channel)
    where n.seq = r.seq and n.status in ('superseded', 'suppressed')`
}

/** Forgets notices older than this, whatever became of them. @returns how many, `count` at most. */
export async function pruneNotices(sql: Sql, olderThanDays: number, count: number): Promise<number> {
  const pruned = await sql`
    with old as materialized (
      select seq from (select seq, created_at from notice order by seq limit ${count}) as o
      where o.created_at < now() - make_interval(days => ${olderThanDays})
    ), dropped as (
      delete from undelivered u using old where u.seq = old.seq
    ), forgotten as (
      delete from attempt a using old where a.seq = old.seq
    )
    delete from notice n using old where n.seq = old.seq`
  return pruned.count
}
