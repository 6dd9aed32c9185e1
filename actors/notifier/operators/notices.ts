/** The log of notices, for operators: newest first, in pages by seq. */
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Kind, Status, Subject } from '../plan/notice.ts'

export type NoticeRow = Subject & {
  title: string | null
  noticeid: string
  seq: number
  channel: ChannelName
  status: Status
  attempts: number
  lastError: string | null
  createdAt: Date
  sentAt: Date | null
}

type NoticeQuery = {
  userid?: string | undefined
  status?: Status | undefined
  kind?: Kind | undefined
  /** That of the last attempt, or of the next. */
  channel?: ChannelName | undefined
  before?: number | undefined
  limit: number
}

export async function listNotices(
  sql: Sql,
  { userid, status, kind, channel, before, limit }: NoticeQuery,
): Promise<NoticeRow[]> {
  const source = sourceOf(sql, status, userid)
  return await sql<NoticeRow[]>`
    select ${columns(sql)} from ${source.from} ${described(sql)}
    where true
    ${userid === undefined ? sql`` : sql`and n.userid = ${userid}`}
    ${status === undefined ? sql`` : statusIs(sql, status)}
    ${kind === undefined ? sql`` : sql`and n.kind = ${kind}`}
    ${channel === undefined ? sql`` : sql`and n.channel = ${channel}`}
    ${before === undefined ? sql`` : sql`and ${source.seq} < ${before}`}
    order by ${source.seq} desc limit ${limit}`
}

export async function readNotice(sql: Sql, noticeid: string): Promise<NoticeRow | undefined> {
  const [notice] = await sql<NoticeRow[]>`
    select ${columns(sql)} from notice n ${described(sql)} where n.noticeid = ${noticeid}`
  return notice
}

const columns = (sql: Sql) => sql`
  n.noticeid, n.seq, n.kind, n.channel, n.bookid, nullif(b.title, '') as title, n.userid, n.reservationid, n.reason, n.shortage, n.status,
  n.attempts, n.last_error as "lastError", n.created_at as "createdAt", n.sent_at as "sentAt"`

const described = (sql: Sql) => sql`left join book b on b.bookid = n.bookid`

/**
 * Undelivered notices are found through their own narrow table, which is small. Pages go by its `seq` then: Postgres concludes from a
 * join that columns are equal, but not that both are below a limit.
 */
function sourceOf(sql: Sql, status: Status | undefined, userid: string | undefined): Source {
  const undelivered = (due: Fragment) => ({
    from: sql`undelivered u join notice n on n.seq = u.seq and u.due_at ${due} 'infinity'`,
    seq: sql`u.seq`,
  })
  if (userid === undefined && status === 'pending') return undelivered(sql`<`)
  if (userid === undefined && status === 'failed') return undelivered(sql`=`)
  return { from: sql`notice n`, seq: sql`n.seq` }
}

type Source = { from: Fragment; seq: Fragment }

/** Superseded and suppressed notices are found by the partial index on `superseded_at`, which both have. */
function statusIs(sql: Sql, status: Status): Fragment {
  if (status === 'superseded' || status === 'suppressed')
    return sql`and n.superseded_at is not null and n.status = ${status}`
  return sql`and n.status = ${status}`
}

/**
 * Queues a failed or suppressed notice again, with as much time as a new one.
 * @returns false if it is neither, or its customer was erased.
 */
export async function retryNotice(sql: Sql, noticeid: string, channel: ChannelName): Promise<boolean> {
  const rows = await sql`
    with queued as (
      insert into undelivered (seq, channel, due_at, attempts)
      select seq, ${channel}, clock_timestamp(), attempts from notice
      where noticeid = ${noticeid} and status in ('failed', 'suppressed') and userid is distinct from ''
      on conflict (seq) do update set channel = excluded.channel, due_at = excluded.due_at, refused = null
      where undelivered.due_at = 'infinity'
      returning seq
    )
    update notice n
    set status = 'pending', channel = ${channel}, retried_at = clock_timestamp(), superseded_at = null
    from queued q where n.seq = q.seq
    returning n.seq`
  return rows.length > 0
}

/** Removes a pending or failed notice from the queue. @returns false if it is neither. */
export async function suppressNotice(sql: Sql, noticeid: string): Promise<boolean> {
  const rows = await sql`
    with dropped as (
      delete from undelivered u using notice n where n.noticeid = ${noticeid} and u.seq = n.seq
      returning u.seq
    )
    update notice n set status = 'suppressed', superseded_at = clock_timestamp()
    from dropped d where n.seq = d.seq
    returning n.seq`
  return rows.length > 0
}
