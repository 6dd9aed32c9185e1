/**
 * Standings: for each customer the ids of their active reservations, and whether they are blocked. They are kept only while
 * `ACTIVE_MAX` is set; otherwise no statement touches them, and blocks cannot be set.
 *
 * The limit holds whatever happens at the same time, because a standing changes only in the statement that changes the
 * reservations themselves:
 *
 *   - The statement that accepts a group (`admission.ts`) locks the standings of its customers, and judges by the locked rows.
 *   - The statement that ends reservations takes their ids out (`freeSlots`).
 *   - A standing is a set of ids, not a count: to add an id again, or to take it out again, changes nothing.
 *   - Each statement locks standings in the order of `userid`, after the reservations that it changes. A statement that
 *     accepts changes none that exist. So no two statements wait for each other.
 *
 * A customer without a standing gets one, made from their reservations, when they reserve for the first time with a limit. A
 * standing can still differ from the reservations: processes without a limit do not keep it, and the last step of restoring
 * a backup changes reservations directly. `reconcile` corrects that.
 */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { active } from './reservation.ts'

/** Reservations of a customer that are read to find the active ones, so that no statement reads a history of any length. */
const readMax = 1_000

/** The ids of a customer's active reservations. */
export const activeOf = (sql: Sql, userid: Fragment): Fragment => sql`
  array(
    select reservationid from (
      select reservationid, status from reservation where reservation.userid = ${userid}
      order by reservationid desc limit ${readMax}
    ) as newest
    where status = any(${active}::text[]) order by reservationid
  )`

/** Whether the customer of a standing is blocked. */
export const isBlocked = (sql: Sql, standing: Fragment): Fragment => sql`
  (${standing}.block_reason is not null and coalesce(${standing}.blocked_until > now(), true))`

/** Parts of a statement whose `changed` returns the `userid`, `reservationid` and `status` of reservations. */
export const freeSlots = (sql: Sql): Fragment => sql`
  ended as (
    select userid, array_agg(reservationid) as ids from changed
    where status <> all(${active}::text[]) group by userid
  ), left_by as (
    select s.userid, e.ids from ended e join standing s on s.userid = e.userid and s.active && e.ids
    order by s.userid for update of s
  ), freed as (
    update standing s set active = array(select id from unnest(s.active) as id where id <> all(l.ids))
    from left_by l where s.userid = l.userid
  )`

/**
 * Corrects standings that differ from the reservations.
 *
 * The differences are read in one snapshot of both tables. A standing may change before it is locked, so only the ids that
 * differed are taken out or added. Those of reservations that were accepted meanwhile stay.
 * @returns the customers whose standing was corrected.
 */
export async function reconcile(sql: Sql, userids: string[]): Promise<string[]> {
  const corrected = await sql<{ userid: string }[]>`
    with known as materialized (
      select s.userid, array(
        select id from unnest(s.active) as id where not exists (
          select from reservation r where r.reservationid = id and r.status = any(${active}::text[])
        )
      ) as ended, array(
        select id from unnest(${activeOf(sql, sql`s.userid`)}) as id where id <> all(s.active)
      ) as missing
      from standing s where s.userid = any(${userids}::text[])
    ), differing as (
      select s.userid, k.ended, k.missing from known k join standing s on s.userid = k.userid
      where k.ended <> '{}' or k.missing <> '{}'
      order by s.userid for update of s
    )
    update standing s set active = array(
      select distinct id from unnest(s.active || d.missing) as id where id <> all(d.ended) order by id
    )
    from differing d where s.userid = d.userid
    returning s.userid`
  return corrected.map((it) => it.userid)
}

/** @returns at most `limit` customers who have a standing, in order. */
export async function standingsAfter(sql: Sql, userid: string, limit: number): Promise<string[]> {
  const found = await sql<{ userid: string }[]>`
    select userid from standing where userid > ${userid} order by userid limit ${limit}`
  return found.map((it) => it.userid)
}

export type Standing = {
  userid: string
  /** Ids of active reservations, oldest first. */
  active: string[]
  block: Block | null
}
export type Block = {
  reason: string
  /** Null if it ends only when staff end it. */
  until: Date | null
}

/** @param kept whether standings are kept. If not, only the active reservations are known. */
export async function readStanding(sql: Sql, userid: string, kept: boolean): Promise<Standing> {
  const found = activeOf(sql, sql`asked.userid`)
  const [row] = await sql<{ active: string[]; reason: string | null; until: Date | null }[]>`
    select to_json(array(select id from unnest(coalesce(s.active, ${found})) as id order by id)) as active,
      case when ${isBlocked(sql, sql`s`)} then s.block_reason end as reason, s.blocked_until as until
    from (select ${userid}::text as userid) as asked
    left join standing s on ${kept} and s.userid = asked.userid`
  const { active, reason, until } = row!
  return { userid, active, block: reason === null ? null : { reason, until } }
}

/** Blocks a customer, instead of any block they have. */
export async function block(sql: Sql, userid: string, { reason, until }: Block): Promise<void> {
  await sql`
    with changed as (
      insert into standing as s (userid, active, block_reason, blocked_until)
      select userid, ${activeOf(sql, sql`asked.userid`)}, ${reason}, ${until}
      from (select ${userid}::text as userid) as asked
      on conflict (userid) do update set
        block_reason = excluded.block_reason, blocked_until = excluded.blocked_until
      returning active
    )
    ${noteBlock(sql)}`
}

export async function unblock(sql: Sql, userid: string): Promise<void> {
  await sql`
    with changed as (
      update standing set block_reason = null, blocked_until = null
      where userid = ${userid} and block_reason is not null returning active
    )
    ${noteBlock(sql)}`
}

/** Notes for stock whose copies it may hand over has changed (`unanswered.ts`). During a block no reservation is added. */
const noteBlock = (sql: Sql): Fragment => sql`
  insert into block_note (reservationid) select unnest(active) from changed order by 1
  on conflict (reservationid) do update set sends = 0, send_at = clock_timestamp()`
