/**
 * Notifies operators of notices that were given up: of the first one on a channel, and how many more followed before the
 * operators' notice was sent. A failure to deliver that notice causes no other, and the channel that failed is not used.
 */
import { randomUUID } from 'node:crypto'
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { ChannelName } from '../channels/all.ts'

export type FailureNotices = {
  /** The operators' channels. */
  channels: ChannelName[]
  /** How long failures are gathered. */
  gatherMs: number
}

/** Parts of the statement that records results on the channel `of`, with `held` as its notices. */
export function failureParts(sql: Sql, of: ChannelName, { channels, gatherMs }: FailureNotices): Fragment {
  const others = channels.filter((it) => it !== of).map((channel) => ({ channel, noticeid: randomUUID() }))
  return sql`given_up as materialized (
    select n.noticeid, n.kind, n.bookid, n.reservationid, h.error
    from held h join notice n on n.seq = h.seq
    where h.outcome = 'failed' and n.kind <> 'delivery-failed'
    order by n.seq
  ), targets as materialized (
    select t.noticeid, t.channel, 'delivery-failed/' || ${of}::text || '/' || t.channel as gathers
    from ${rows(sql, others, { noticeid: 'uuid', channel: 'text' })} as t
    where exists (select from given_up)
  ), gathering as materialized (
    select v.seq, v.gathers from targets t join undelivered v on v.gathers = t.gathers and v.attempts = 0
    order by v.seq
    for update of v
  ), raised as (
    update notice n
    set details = jsonb_set(n.details, '{more}',
      to_jsonb((n.details->>'more')::int + (select count(*)::int from given_up)))
    from gathering g where n.seq = g.seq
  ), inserted as (
    insert into notice (noticeid, kind, channel, bookid, reservationid, reason, details, status)
    select t.noticeid, 'delivery-failed', t.channel, g.bookid, g.reservationid, g.error,
      jsonb_build_object('type', 'failure', 'noticeid', g.noticeid, 'kind', g.kind, 'channel', ${of}::text,
        'more', (select count(*) - 1 from given_up)),
      'pending'
    from targets t cross join (select * from given_up limit 1) g
    where not exists (select from gathering o where o.gathers = t.gathers)
    returning noticeid, seq, channel
  ), queued as (
    insert into undelivered (seq, channel, due_at, gathers)
    select n.seq, n.channel, clock_timestamp() + ${gatherMs}::float8 * interval '1 millisecond', t.gathers
    from inserted n join targets t on t.noticeid = n.noticeid
  )`
}
