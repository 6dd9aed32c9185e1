/**
 * Alerts of the monitoring become notices to operators: through the same queue, so that none is lost to a receiver that is
 * down.
 *
 * A1. An alert is known by its fingerprint. It is told when it begins, and when its status changes; whatever repeats that
 *     is not told, however often it is sent and whoever takes it. One that fires again after it began anew is news, also
 *     when nobody said that it was resolved in between.
 * A2. News of one group that come together are one notice for each of the operators' channels.
 * A3. The newest wins: what was not told of the group yet is taken back, and told with the news as it stands now.
 */
import { hash, randomUUID } from 'node:crypto'
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Alert, AlertDetails } from '../plan/notice.ts'

/** @returns those of the alerts that are news (A1). */
export async function readNews(sql: Sql, alerts: Alert[]): Promise<Alert[]> {
  const rows = await sql<{ fingerprint: string }[]>`
    select i.fingerprint from (${incoming(sql, alerts)}) as i
    left join alert a on a.fingerprint = i.fingerprint
    where a.fingerprint is null or (${isNews(sql)})`
  const news = new Set(rows.map((it) => it.fingerprint))
  return alerts.filter((it) => news.has(it.fingerprint))
}

/**
 * Notes alerts and queues what is news, all in one statement.
 * @param noticeid under which the console was told already.
 * @param channels those by which operators are told, beside the console.
 * @returns how many alerts were news.
 */
export async function noteAlerts(
  sql: Sql,
  { alerts, ...group }: AlertDetails,
  { noticeid, channels }: { noticeid: string; channels: ChannelName[] },
): Promise<number> {
  const all = ['console', ...channels]
  const noticeids = [noticeid, ...channels.map(() => randomUUID())]
  // An index holds no key of any length.
  const key = hash('sha256', group.groupKey)
  const [row] = await sql<{ news: number }[]>`
    with incoming as materialized (${incoming(sql, alerts)}),
    news as materialized (
      insert into alert as a (fingerprint, status, starts_at)
      select fingerprint, status, starts_at from incoming order by fingerprint
      on conflict (fingerprint) do update
      set status = excluded.status, starts_at = excluded.starts_at, told_at = clock_timestamp()
      where a.status <> excluded.status or a.starts_at < excluded.starts_at
      returning fingerprint
    ), tell as materialized (
      select * from unnest(${noticeids}::uuid[], ${all}::text[]) as t (noticeid, channel)
      where exists (select from news)
    ), untold as materialized (
      select v.seq, t.channel
      from tell t
      join undelivered v on v.gathers = 'alert/' || t.channel || '/' || ${key}::text and v.due_at < 'infinity'
      order by v.seq
      for update of v
    ), dropped as (
      delete from undelivered v using untold u where v.seq = u.seq
    ), superseded as (
      update notice n set status = 'superseded', superseded_at = clock_timestamp() from untold u where n.seq = u.seq
    ), noted as (
      insert into notice (noticeid, kind, channel, details, status, attempts, sent_at)
      select t.noticeid, 'alert', t.channel,
        ${JSON.stringify(group)}::text::jsonb || jsonb_build_object('alerts', (${toldAlerts(sql)})),
        case t.channel when 'console' then 'sent' else 'pending' end,
        case t.channel when 'console' then 1 else 0 end,
        case t.channel when 'console' then clock_timestamp() end
      from tell t
      returning seq, channel
    ), queued as (
      insert into undelivered (seq, channel, due_at, gathers)
      select seq, channel, clock_timestamp(), 'alert/' || channel || '/' || ${key}::text
      from noted where channel <> 'console'
    )
    select count(*) as news from news`
  return row!.news
}

const incoming = (sql: Sql, alerts: Alert[]): Fragment => sql`
  select * from unnest(
    ${alerts.map((it) => it.fingerprint)}::text[], ${alerts.map((it) => it.status)}::text[],
    ${alerts.map((it) => it.startsAt)}::timestamptz[], ${alerts.map((it) => JSON.stringify(it))}::text[]
  ) as i (fingerprint, status, starts_at, alert)`

const isNews = (sql: Sql): Fragment => sql`a.status <> i.status or a.starts_at < i.starts_at`

/** The news, and what the channel was not told of before: of each alert, what is newest. */
const toldAlerts = (sql: Sql): Fragment => sql`
  select jsonb_agg(told.alert order by told.newest desc, told.alert->>'fingerprint')
  from (
    select i.alert::jsonb as alert, true as newest
    from news join incoming i on i.fingerprint = news.fingerprint
    union all
    select older.alert, false
    from untold u
    join notice n on n.seq = u.seq
    cross join lateral jsonb_array_elements(n.details->'alerts') as older (alert)
    where u.channel = t.channel
      and not exists (select from news where news.fingerprint = older.alert->>'fingerprint')
  ) as told`

/** Forgets alerts that were last told longer ago than this. There are as many as there are rules and things to watch. */
export async function pruneAlerts(sql: Sql, olderThanDays: number): Promise<void> {
  await sql`delete from alert where told_at < now() - make_interval(days => ${olderThanDays})`
}
