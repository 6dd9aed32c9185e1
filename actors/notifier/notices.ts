/** The log of notices, for operators: newest first, cut by seq. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { ChannelName, Status, Subject } from './notice.ts'

export type NoticeRow = Subject & {
  noticeid: string
  seq: number
  channel: ChannelName
  status: Status
  attempts: number
  lastError: string | null
  createdAt: Date
  sentAt: Date | null
}

export type NoticeQuery = { userid?: string; status?: Status; before?: number; limit: number }

export async function listNotices(
  sql: Sql,
  { userid, status, before, limit }: NoticeQuery,
): Promise<NoticeRow[]> {
  return await sql<NoticeRow[]>`
    select ${columns(sql)} from ${sourceOf(sql, status, userid)}
    where true
    ${userid === undefined ? sql`` : sql`and n.userid = ${userid}`}
    ${status === undefined ? sql`` : statusIs(sql, status)}
    ${before === undefined ? sql`` : sql`and n.seq < ${before}`}
    order by n.seq desc limit ${limit}`
}

export async function readNotice(sql: Sql, noticeid: string): Promise<NoticeRow | undefined> {
  const [notice] = await sql<NoticeRow[]>`select ${columns(sql)} from notice n where n.noticeid = ${noticeid}`
  return notice
}

const columns = (sql: Sql) => sql`
  n.noticeid, n.seq, n.kind, n.channel, n.bookid, n.userid, n.reservationid, n.reason, n.shortage, n.status,
  n.attempts, n.last_error as "lastError", n.created_at as "createdAt", n.sent_at as "sentAt"`

/** What is not told is found through the narrow table, of which there is little. */
function sourceOf(sql: Sql, status: Status | undefined, userid: string | undefined): Fragment {
  if (userid !== undefined) return sql`notice n`
  if (status === 'pending') return sql`undelivered u join notice n on n.seq = u.seq and u.due_at < 'infinity'`
  if (status === 'failed') return sql`undelivered u join notice n on n.seq = u.seq and u.due_at = 'infinity'`
  return sql`notice n`
}

function statusIs(sql: Sql, status: Status): Fragment {
  if (status === 'superseded') return sql`and n.superseded_at is not null`
  return sql`and n.status = ${status}`
}
