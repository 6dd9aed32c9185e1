/** Queries of holds, queues and tasks for the HTTP API. */
import type { Sql } from '../../streams/postgres.ts'
import type { CommandRefusal, StockRefusalReason } from '../messages.ts'
import type { Book } from './book.ts'
import type { Hold } from './hold.ts'

export type HoldRow = {
  reservationid: string
  bookid: string
  userid: string
  status: Hold['status']
  reason: StockRefusalReason | null
  place: number | null
  pickup_by: Date | null
}

export async function hold(sql: Sql, reservationid: string): Promise<HoldRow | undefined> {
  const [row] = await sql<HoldRow[]>`
    select h.reservationid, h.bookid, h.userid, h.status, h.reason, c.place, c.pickup_by
    from hold h left join claim c on c.reservationid = h.reservationid
    where h.reservationid = ${reservationid}`
  return row
}

/** @returns why a command that took effect changed nothing; undefined if it was not refused. */
export async function refusalOf(sql: Sql, commandid: string): Promise<CommandRefusal | undefined> {
  const [row] = await sql<{ refused: CommandRefusal | null }[]>`
    select refused from command where commandid = ${commandid}`
  return row?.refused ?? undefined
}

export type WaitRow = {
  reservationid: string
  userid: string
  place: number
  since: Date
  lapses_at: Date | null
}

export const queue = (sql: Sql, bookid: string, limit: number, after = 0): Promise<WaitRow[]> => sql<
  WaitRow[]
>`
  select reservationid, userid, place, since, lapses_at from claim
  where bookid = ${bookid} and kind = 'waiting' and place > ${after}::bigint order by place limit ${limit}`

/** Copies to fetch for the hold shelf, and copies that are on it. */
export const taskKinds = ['pull', 'ready'] as const
export type TaskKind = (typeof taskKinds)[number]
const claimKinds = { pull: 'held', ready: 'ready' } as const

export type TaskRow = Pick<Book, 'bookid' | 'title' | 'author' | 'isbn'> & {
  reservationid: string
  userid: string
  since: Date
  pickup_by: Date | null
  /** `since` in full precision, for the next page. */
  key: string
}

type TaskQuery = {
  kind: TaskKind
  bookid?: string | undefined
  /** The last digits of the reservationid. */
  ending?: string | undefined
  limit: number
  after?: [since: string, reservationid: string] | undefined
}

/** The oldest first. */
export const tasks = (
  sql: Sql,
  {
    kind,
    bookid,
    ending,
    limit,
    after: [since, reservationid] = ['-infinity', '00000000-0000-0000-0000-000000000000'],
  }: TaskQuery,
): Promise<TaskRow[]> => sql<TaskRow[]>`
  select c.reservationid, c.bookid, c.userid, b.title, b.author, b.isbn, c.since, c.pickup_by, c.since::text as key
  from claim c join book b on b.bookid = c.bookid
  where kind = ${claimKinds[kind]} and (c.since, c.reservationid) > (${since}::text::timestamptz, ${reservationid}::uuid)
  ${bookid === undefined ? sql`` : sql`and c.bookid = ${bookid}`}
  ${ending === undefined ? sql`` : sql`and right(c.reservationid::text, length(${ending}::text)) = ${ending}::text`}
  order by c.since, c.reservationid limit ${limit}`
