/** Accepts reservations within the limit of each customer, and refuses those of blocked customers. */

import type { Sql } from '../../streams/postgres.ts'
import { names, rows } from '../../streams/rows.ts'
import type { GroupCommit } from './group-commit.ts'
import { activeOf, isBlocked } from './standings.ts'
import {
  type Accepted,
  columnsOf,
  hasCallers,
  type Inserted,
  insert,
  madeByPrograms,
  type Refusal,
} from './store.ts'

type Inserts = Pick<GroupCommit<Accepted, Inserted>, 'add'>

/** The limit of reservations that staff make over the limit. */
const noLimit = 2 ** 31 - 1

/** @param inserting makes inserts of groups that share one limit. */
export function admissions(activeMax: number, inserting: (activeMax: number) => Inserts): Inserts {
  const limited = inserting(activeMax)
  if (activeMax === 0) return limited
  const overLimit = inserting(noLimit)
  return { add: (row) => (row.overLimit ? overLimit : limited).add(row) }
}

/**
 * Inserts a group of reservations. A reservation beyond the customer's limit, or of a blocked customer, is inserted as
 * Failed: it is in no lot, so stock never learns of it.
 *
 * `on conflict do update` waits for any statement that has the customer's standing, and then judges by the standing as that
 * one left it. A query of the reservations could not: it would not see what was committed while it waited.
 * @param activeMax of each customer. 0: no limit.
 */
export async function admit(
  sql: Sql,
  reservations: Accepted[],
  resendAfterMs: number,
  activeMax: number,
): Promise<Inserted> {
  if (activeMax === 0) return await insert(sql, reservations, resendAfterMs)
  const keyed = reservations.some((it) => it.keyed)
  const callers = hasCallers(reservations)
  const columns = columnsOf({ waits: true, callers })
  const caller = callers ? sql`, authtype, authid` : sql``
  const [row] = await sql<{ at: Date; accepted: string[] | null; refused: Refusal[] | null }[]>`
    with given as (
      select r.* from ${rows(sql, reservations, columns)} as r
      -- A repeated key takes no second slot.
      ${keyed ? sql`where not exists (select from reservation s where s.reservationid = r.reservationid)` : sql``}
    ), asked as (
      select userid, array_agg(distinct reservationid order by reservationid) as ids from given group by userid
    ), asking as materialized (
      select asked.userid, ids, case when s.userid is null then ${activeOf(sql, sql`asked.userid`)} else '{}' end as found
      from asked left join standing s on s.userid = asked.userid
    ), judged as (
      insert into standing as s (userid, active)
      select userid, found || ids[1:greatest(${activeMax}::int - cardinality(found), 0)] from asking
      -- A fixed order, so that two statements with the same customers do not deadlock.
      order by userid
      on conflict (userid) do update set active = case
        when ${isBlocked(sql, sql`s`)} then s.active
        else s.active || (
          array(select id from unnest(excluded.active) as id where id <> all(s.active))
        )[1:greatest(${activeMax}::int - cardinality(s.active), 0)] end
      returning userid, active, ${isBlocked(sql, sql`s`)} as blocked
    ), decided as materialized (
      -- By hashed subqueries, and below by an object: a join would compare each reservation with each customer.
      select given.*, case
        when reservationid in (select unnest(active) from judged) then null
        when userid in (select userid from judged where blocked) then 'Blocked'
        else 'LimitReached' end as reason
      from given
    ), inserted as (
      insert into reservation (${names(sql, columns)}, created_at, updated_at, status, reason, active, active_max)
      select ${names(sql, columns)}, now(), now(),
        case when reason is null then 'Requested' else 'Failed' end, reason,
        case reason when 'LimitReached' then (
          (select jsonb_object_agg(userid, cardinality(active)) from judged) ->> userid
        )::int end,
        case reason when 'LimitReached' then ${activeMax}::int end
      from decided
      order by reservationid
      ${keyed ? sql`on conflict (reservationid) do nothing` : sql``}
      returning reservationid, reason, active, active_max ${caller}
    ), inserted_lot as (
      insert into lot (reservationids, due_at)
      select array_agg(reservationid), clock_timestamp() + ${`${resendAfterMs} milliseconds`}::interval from inserted
      where reason is null having count(*) > 0
    )${madeByPrograms(sql, reservations, sql`inserted`)}
    select now() as at,
      ${keyed ? sql`(select json_agg(reservationid) from inserted)` : sql`null::json`} as accepted,
      (select json_agg(json_build_object('reservationid', reservationid, 'reason', reason, 'active', active, 'active_max', active_max))
        from inserted where reason is not null) as refused`
  const { at, accepted, refused } = row!
  return {
    at,
    accepted: keyed ? new Set(accepted) : undefined,
    refused: refused ? new Map(refused.map((it) => [it.reservationid, it])) : undefined,
  }
}
