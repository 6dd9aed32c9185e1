/**
 * Turns alerts of the monitoring into notices to operators. They go through the same queue as all notices, so none is lost
 * when a receiver is down.
 *
 * A1. An alert is identified by its fingerprint. It is news when it begins and when its status changes. Repetitions are not
 *     news, however often they are posted and whichever process receives them. An alert with a later start is news even if
 *     no message said that it was resolved in between.
 * A2. News of one group that arrive together are one notice on each of the operators' channels.
 * A3. The newest state wins: an unsent notice of the group is superseded, and its alerts are sent with the news, as they are
 *     now.
 */
import { hash, randomUUID } from 'node:crypto'
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Alert, AlertDetails } from '../plan/notice.ts'

/** @returns those of the alerts that are news (A1). */
export async function readNews(sql: Sql, alerts: Alert[]): Promise<Alert[]> {
  const found = await sql<{ fingerprint: string }[]>`
    select i.fingerprint from (${incoming(sql, alerts)}) as i
    left join alert a on a.fingerprint = i.fingerprint
    where a.fingerprint is null or (${isNews(sql)})`
  const news = new Set(found.map((it) => it.fingerprint))
  return alerts.filter((it) => news.has(it.fingerprint))
}

/**
 * Records alerts and queues a notice of the news, all in one statement.
 * @param noticeid of the notice that was printed on the console.
 * @param channels the operators' channels, besides the console.
 * @returns how many alerts were news.
 */
export async function recordAlerts(
  sql: Sql,
  { alerts, ...group }: AlertDetails,
  { noticeid, channels }: { noticeid: string; channels: ChannelName[] },
): Promise<number> {
  const targets = [
    { channel: 'console' as ChannelName, noticeid },
    ...channels.map((channel) => ({ channel, noticeid: randomUUID() })),
  ]
  // The length of a key in an index is limited.
  const key = hash('sha256', group.groupKey)
  const [row] = await sql<{ news: number }[]>`
    with incoming as materialized (${incoming(sql, alerts)}),
    news as materialized (
      insert into alert as a (fingerprint, status, starts_at, alert)
      select fingerprint, status, starts_at, alert::jsonb from incoming order by fingerprint
      on conflict (fingerprint) do update
      set status = excluded.status, starts_at = excluded.starts_at, told_at = clock_timestamp(), alert = excluded.alert
      where a.status <> excluded.status or a.starts_at < excluded.starts_at
      returning fingerprint
    ), targets as materialized (
      select * from ${rows(sql, targets, { noticeid: 'uuid', channel: 'text' })} as t
      where exists (select from news)
    ), to_supersede as materialized (
      select v.seq, t.channel
      from targets t
      join undelivered v on v.gathers = 'alert/' || t.channel || '/' || ${key}::text and v.due_at < 'infinity'
      order by v.seq
      for update of v
    ), dropped as (
      delete from undelivered v using to_supersede s where v.seq = s.seq
    ), superseded as (
      update notice n set status = 'superseded', superseded_at = clock_timestamp() from to_supersede s where n.seq = s.seq
    ), inserted as (
      insert into notice (noticeid, kind, channel, details, status, attempts, sent_at)
      select t.noticeid, 'alert', t.channel,
        ${JSON.stringify(group)}::text::jsonb || jsonb_build_object('alerts', (${alertsToSend(sql)})),
        case t.channel when 'console' then 'sent' else 'pending' end,
        case t.channel when 'console' then 1 else 0 end,
        case t.channel when 'console' then clock_timestamp() end
      from targets t
      returning seq, channel
    ), queued as (
      insert into undelivered (seq, channel, due_at, gathers)
      select seq, channel, clock_timestamp(), 'alert/' || channel || '/' || ${key}::text
      from inserted where channel <> 'console'
    )
    select count(*) as news from news`
  return row!.news
}

const incoming = (sql: Sql, alerts: Alert[]): Fragment => sql`
  select fingerprint, status, starts_at::timestamptz, alert
  from ${rows(sql, alerts, {
    fingerprint: 'text',
    status: 'text',
    starts_at: ['text', (it) => it.startsAt],
    alert: ['json', (it) => JSON.stringify(it)],
  })} as i`

const isNews = (sql: Sql): Fragment => sql`a.status <> i.status or a.starts_at < i.starts_at`

/** The news, and the alerts of the channel's unsent notice: of each alert, the newest state. */
const alertsToSend = (sql: Sql): Fragment => sql`
  select jsonb_agg(a.alert order by a.is_news desc, a.alert->>'fingerprint')
  from (
    select i.alert::jsonb as alert, true as is_news
    from news join incoming i on i.fingerprint = news.fingerprint
    union all
    select older.alert, false
    from to_supersede s
    join notice n on n.seq = s.seq
    cross join lateral jsonb_array_elements(n.details->'alerts') as older (alert)
    where s.channel = t.channel
      and not exists (select from news where news.fingerprint = older.alert->>'fingerprint')
  ) as a`

export type AlertRow = {
  fingerprint: string
  status: Alert['status']
  starts_at: Date
  /** When its status last changed. */
  told_at: Date
  /** As it was posted; null if a version before this one has recorded it. */
  alert: Alert | null
  /** The time as text, which is more exact than a `Date`, and the fingerprint. */
  key: [at: string, fingerprint: string]
}

/** Lists alerts, the last change first. @param before the key of the last alert of the page before. */
export async function listAlerts(
  sql: Sql,
  status: Alert['status'] | undefined,
  limit: number,
  [at, fingerprint]: AlertRow['key'] = ['infinity', ''],
): Promise<AlertRow[]> {
  return await sql<AlertRow[]>`
    select fingerprint, status, starts_at, told_at, alert, json_build_array(told_at::text, fingerprint) as key
    from alert
    where (told_at, fingerprint) < (${at}::text::timestamptz, ${fingerprint})
      ${status === undefined ? sql`` : sql`and status = ${status}`}
    order by told_at desc, fingerprint desc limit ${limit}`
}

/** Deletes alerts that have not been news for this long. */
export async function pruneAlerts(sql: Sql, olderThanDays: number): Promise<void> {
  await sql`delete from alert where told_at < now() - make_interval(days => ${olderThanDays})`
}
