/**
 * The queue of a channel: claiming what is due, marking what came of it.
 *
 * Q1. A claim is a lease: it moves the notice into the future and counts an attempt. When the dispatcher dies, the
 *     notice is due again after the lease, with the same noticeid.
 * Q2. A claim that ran out marks nothing but `sent`: what was told stays told, whoever told it.
 * Q3. Claims skip what others have locked; marks lock in the order of seq. So nobody waits in a circle.
 */
import type { Sql } from '../../streams/postgres.ts'
import type { DueNotice } from './delivery.ts'
import type { ChannelName } from './notice.ts'

/** Claims up to `count` notices that are due, oldest first. */
export async function claimDue(
  sql: Sql,
  channel: ChannelName,
  count: number,
  leaseMs: number,
): Promise<DueNotice[]> {
  // now() and not clock_timestamp(): an index can only be searched for a value that stands still.
  return await sql<DueNotice[]>`
    with due as materialized (
      select seq from undelivered
      where channel = ${channel} and due_at <= now()
      order by due_at limit ${count}
      for update skip locked
    ), claimed as (
      update undelivered u
      set due_at = clock_timestamp() + ${leaseMs}::float8 * interval '1 millisecond', attempts = u.attempts + 1
      from due where u.seq = due.seq
      returning u.seq, u.attempts
    )
    select n.noticeid, n.seq, c.attempts, n.kind, n.bookid, n.userid, n.reservationid, n.reason, n.shortage,
      n.traceparent, n.created_at as "createdAt", w.email, w.webhook, w.locale
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
  outcome: 'sent' | 'retry' | 'failed' | 'deferred'
  error: string | null
  /** Until the next attempt. */
  afterMs: number
}

/** Marks what came of notices, all in one statement. */
export async function markAll(sql: Sql, marks: Mark[]): Promise<void> {
  const ordered = marks.toSorted((a, b) => a.seq - b.seq)
  const marked = await sql<{ seq: number }[]>`
    with held as materialized (
      select u.seq, r.attempts, r.outcome, r.error, r.after_ms
      from unnest(
        ${ordered.map((it) => it.seq)}::bigint[], ${ordered.map((it) => it.attempts)}::int[],
        ${ordered.map((it) => it.outcome)}::text[], ${ordered.map((it) => it.error)}::text[],
        ${ordered.map((it) => it.afterMs)}::float8[]
      ) as r (seq, attempts, outcome, error, after_ms)
      join undelivered u on u.seq = r.seq and (u.attempts = r.attempts or r.outcome = 'sent')
      order by u.seq
      for update of u
    ), told as (
      delete from undelivered u using held h where u.seq = h.seq and h.outcome = 'sent'
    ), kept as (
      update undelivered u
      set due_at = case h.outcome when 'failed' then 'infinity'
          else clock_timestamp() + h.after_ms * interval '1 millisecond' end,
        attempts = case h.outcome when 'deferred' then h.attempts - 1 else h.attempts end
      from held h where u.seq = h.seq and h.outcome <> 'sent'
    )
    update notice n
    set status = case h.outcome when 'sent' then 'sent' when 'failed' then 'failed' else 'pending' end,
      attempts = case h.outcome when 'deferred' then h.attempts - 1 else h.attempts end,
      last_error = h.error,
      sent_at = case h.outcome when 'sent' then clock_timestamp() end
    from held h where n.seq = h.seq
    returning n.seq`
  if (marked.length === ordered.length) return
  const seen = new Set(marked.map((it) => it.seq))
  const missed = ordered.filter((it) => it.outcome === 'sent' && !seen.has(it.seq))
  if (missed.length > 0) await toldAfterAll(sql, missed)
}

/** A notice that was superseded while it was on its way: it was told, and that is what its row says. */
async function toldAfterAll(sql: Sql, marks: Mark[]): Promise<void> {
  await sql`
    update notice n
    set status = 'sent', attempts = r.attempts, sent_at = clock_timestamp(), superseded_at = null
    from unnest(
      ${marks.map((it) => it.seq)}::bigint[], ${marks.map((it) => it.attempts)}::int[]
    ) as r (seq, attempts)
    where n.seq = r.seq and n.status = 'superseded'`
}

/** Forgets notices older than this, whatever became of them. @returns how many, `count` at most. */
export async function pruneNotices(sql: Sql, olderThanDays: number, count: number): Promise<number> {
  const pruned = await sql`
    with old as materialized (
      select seq from (select seq, created_at from notice order by seq limit ${count}) as o
      where o.created_at < now() - make_interval(days => ${olderThanDays})
    ), dropped as (
      delete from undelivered u using old where u.seq = old.seq
    )
    delete from notice n using old where n.seq = old.seq`
  return pruned.count
}
