/** Notices that wait to be sent, and those that were given up, for operators. */
import { type BacklogItem, backlogItem, countMax } from '../../../platform/operators/backlog-http.ts'
import type { Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'

export const backlogKinds = {
  DueNotices: 'notices that wait to be sent, by channel',
  FailedNotices: 'notices that were given up. An operator can retry or suppress them',
}

type Counted = { count: number; seconds: number | null }

export async function readBacklog(sql: Sql, channels: ChannelName[]): Promise<BacklogItem[]> {
  // now() and not clock_timestamp(): Postgres can search an index only for a stable value.
  const due = await sql<(Counted & { channel: ChannelName })[]>`
    select c.channel, counted.*
    from unnest(${channels}::text[]) as c (channel), lateral (
      select count(*), extract(epoch from now() - min(due_at))::float as seconds
      from (
        select due_at from undelivered where channel = c.channel and due_at <= now()
        order by due_at limit ${countMax}
      ) as u
    ) as counted`
  const [failed] = await sql<Counted[]>`
    select (select count(*) from (
        select from undelivered where due_at = 'infinity' limit ${countMax}
      ) as u) as count,
      (select extract(epoch from now() - created_at)::float from notice
        where seq = (select min(seq) from undelivered where due_at = 'infinity')) as seconds`
  return [
    ...due.map((it) => backlogItem('DueNotices', it.count, it.seconds, it.channel)),
    backlogItem('FailedNotices', failed!.count, failed!.seconds),
  ]
}
