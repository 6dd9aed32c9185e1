/**
 * The queue of a channel: claims notices that are due, and records the results as marks.
 *
 * Q1. A claim is a lease: it moves the due time into the future and counts an attempt. If the dispatcher dies, the notice is
 *     due again when the lease ends, with the same noticeid.
 * Q2. An expired claim can only mark a notice as `sent`: a notice that was sent stays sent.
 * Q3. A permanent refusal moves the notice to the next channel, under the same noticeid. After the last channel it has failed.
 * Q4. Claims skip rows that others have locked; marks lock in the order of seq. So statements never wait in a circle.
 */
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { ChannelName, PersonalChannel } from '../channels/all.ts'
import type { Addresses } from '../plan/notice.ts'
import { logAttempts } from './attempts.ts'
import type { DueNotice } from './delivery.ts'
import { type FailureNotices, failureParts } from './failures.ts'

/** A notice that is due and claimed, with its book's title, its customer's contact and the data that decides where it goes next. */
export type Claimed = Omit<DueNotice, keyof Addresses | 'locale' | 'timeZone'> &
  Addresses & {
    locale: string | null
    /** The customer's order. */
    channels: PersonalChannel[] | null
    /** The channels that have refused it for good. */
    refused: ChannelName[]
    /** Whether an operator retried it. */
    retried: boolean
    /** Time since it was created, since its reminder was due, or since an operator retried it, milliseconds. */
    ageMs: number
  }

/** Claims up to `count` notices that are due, the longest overdue first. */
export async function claimDue(
  sql: Sql,
  channel: ChannelName,
  count: number,
  leaseMs: number,
): Promise<Claimed[]> {
  // now() and not clock_timestamp(): Postgres can search an index only for a stable value.
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
      b.title, b.author, n.traceparent, n.created_at as "createdAt", n.retried_at is not null as retried,
      extract(epoch from clock_timestamp() - coalesce(
        n.retried_at, (n.details->>'remindAt')::timestamptz, n.created_at
      ))::float * 1000 as "ageMs",
      coalesce(to_json(c.refused), '[]') as refused, w.email, w.webhook, w.phone, w.locale, to_json(w.channels) as channels
    from claimed c
    join notice n on n.seq = c.seq
    left join customer w on w.userid = n.userid
    left join book b on b.bookid = n.bookid
    order by n.seq`
}

/** @returns for how many seconds the oldest due notice of the channel has been due; 0 if none is. */
export async function overdueSeconds(sql: Sql, channel: ChannelName): Promise<number> {
  // now() and not clock_timestamp(): Postgres can search an index only for a stable value.
  const [row] = await sql<{ seconds: number }[]>`
    select coalesce(extract(epoch from now() - min(due_at)), 0)::float as seconds
    from undelivered where channel = ${channel} and due_at <= now()`
  return row!.seconds
}

/** Extends claims, except those that ran out and were taken over. */
export async function renewClaims(
  sql: Sql,
  claims: { seq: number; attempts: number }[],
  leaseMs: number,
): Promise<void> {
  await sql`
    with held as materialized (
      select u.seq
      from ${rows(sql, claims, { seq: 'bigint', attempts: 'int' })} as r
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
  /** The channel of the attempt. */
  channel: ChannelName
  /** `fallback`: the channel refused it for good, and it moves to the next. `superseded`: it is no longer true. */
  outcome: 'sent' | 'retry' | 'fallback' | 'failed' | 'deferred' | 'superseded'
  next: ChannelName | null
  error: string | null
  /** The receiver's answer. */
  answer: string | null
  /** Until the next attempt. */
  afterMs: number
}

/**
 * Records results on one channel and logs the attempts, all in one statement.
 * @param failureNotices how operators are notified of notices that are given up.
 */
export async function markAll(sql: Sql, marks: Mark[], failureNotices?: FailureNotices): Promise<void> {
  const ordered = marks.toSorted((a, b) => a.seq - b.seq)
  const failing = failureNotices?.channels.length && marks.some((it) => it.outcome === 'failed')
  const marked = await sql<{ seq: number }[]>`
    with marks as materialized (
      select * from ${rows(sql, ordered, {
        seq: 'bigint',
        attempts: 'int',
        channel: 'text',
        outcome: 'text',
        next: 'text',
        error: 'text',
        answer: 'text',
        after_ms: ['float8', (it) => it.afterMs],
      })} as m
    ), held as materialized (
      select u.seq, m.attempts, m.channel, m.outcome, m.next, m.error, m.after_ms
      from marks m
      join undelivered u on u.seq = m.seq and (u.attempts = m.attempts or m.outcome = 'sent')
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
    ${failing ? sql`, ${failureParts(sql, marks[0]!.channel, failureNotices!)}` : sql``}
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
  if (missed.length > 0) await markSentAfterAll(sql, missed)
}

/** A notice that was superseded or suppressed during its delivery was sent all the same, and its row must say so. */
async function markSentAfterAll(sql: Sql, marks: Mark[]): Promise<void> {
  await sql`
    update notice n
    set status = 'sent', channel = r.channel, attempts = r.attempts, sent_at = clock_timestamp(), superseded_at = null
    from ${rows(sql, marks, { seq: 'bigint', attempts: 'int', channel: 'text' })} as r
    where n.seq = r.seq and n.status in ('superseded', 'suppressed')`
}

/** Deletes notices older than this, whatever their status. @returns how many, `count` at most. */
export async function pruneNotices(sql: Sql, olderThanDays: number, count: number): Promise<number> {
  const pruned = await sql`
    with old as materialized (
      select seq from (select seq, created_at from notice order by seq limit ${count}) as o
      where o.created_at < now() - make_interval(days => ${olderThanDays})
    ), dropped as (
      delete from undelivered u using old where u.seq = old.seq
    ), dropped_attempts as (
      delete from attempt a using old where a.seq = old.seq
    )
    delete from notice n using old where n.seq = old.seq`
  return pruned.count
}
