/**
 * Operators are told of what cannot be told: of the first notice that a channel fails to deliver, and how many more there
 * were until they are told. Never of a notice that tells just this, nor over the channel that failed.
 */
import { randomUUID } from 'node:crypto'
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'

export type FailureNotices = {
  /** Those by which operators are told. */
  channels: ChannelName[]
  /** How long failures are gathered. */
  gatherMs: number
}

/** Parts of a mark, `held` being what came of the notices of the channel `of`. */
export function failureParts(sql: Sql, of: ChannelName, { channels, gatherMs }: FailureNotices): Fragment {
  const others = channels.filter((it) => it !== of)
  return sql`given_up as materialized (
    select n.noticeid, n.kind, n.bookid, n.reservationid, h.error
    from held h join notice n on n.seq = h.seq
    where h.outcome = 'failed' and n.kind <> 'delivery-failed'
    order by n.seq
  ), tell as materialized (
    select t.noticeid, t.channel, 'delivery-failed/' || ${of}::text || '/' || t.channel as gathers
    from unnest(${others.map(() => randomUUID())}::uuid[], ${others}::text[]) as t (noticeid, channel)
    where exists (select from given_up)
  ), gathering as materialized (
    select v.seq, v.gathers from tell t join undelivered v on v.gathers = t.gathers and v.attempts = 0
    order by v.seq
    for update of v
  ), raised as (
    update notice n
    set details = jsonb_set(n.details, '{more}',
      to_jsonb((n.details->>'more')::int + (select count(*)::int from given_up)))
    from gathering g where n.seq = g.seq
  ), noted as (
    insert into notice (noticeid, kind, channel, bookid, reservationid, reason, details, status)
    select t.noticeid, 'delivery-failed', t.channel, g.bookid, g.reservationid, g.error,
      jsonb_build_object('type', 'failure', 'noticeid', g.noticeid, 'kind', g.kind, 'channel', ${of}::text,
        'more', (select count(*) - 1 from given_up)),
      'pending'
    from tell t cross join (select * from given_up limit 1) g
    where not exists (select from gathering o where o.gathers = t.gathers)
    returning noticeid, seq, channel
  ), queued as (
    insert into undelivered (seq, channel, due_at, gathers)
    select n.seq, n.channel, clock_timestamp() + ${gatherMs}::float8 * interval '1 millisecond', t.gathers
    from noted n join tell t on t.noticeid = n.noticeid
  )`
}
