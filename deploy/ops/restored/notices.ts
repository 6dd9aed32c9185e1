/** Stops the notifier from reporting outcomes of reservations that no longer exist. */

import { type Kind, reservationNoticeId } from '../../../actors/notifier/plan/notice.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Hold } from './holds.ts'

const audiences = ['console', 'person', 'chat'] as const
const outcomes: Record<Hold['status'], Kind[]> = {
  held: ['reserved'],
  refused: ['failed'],
  released: ['reserved', 'failed'],
}

/**
 * Suppresses the notices of these outcomes: those waiting to be sent, and those that unread events would create. Notices
 * that were already sent are unchanged. @returns the number that were waiting.
 */
export async function suppressOutcomes(sql: Sql, holds: Hold[]): Promise<number> {
  const notices = holds.flatMap((hold) =>
    outcomes[hold.status].flatMap((kind) =>
      audiences.map((audience) => ({
        ...hold,
        kind,
        noticeid: reservationNoticeId(hold.reservationid, kind, audience),
      })),
    ),
  )
  const { count } = await sql`
    with to_suppress as (
      select * from ${rows(sql, notices, {
        noticeid: 'uuid',
        kind: 'text',
        bookid: 'text',
        userid: 'text',
        reservationid: 'uuid',
      })} as d
    ), added as (
      insert into notice (noticeid, kind, channel, bookid, userid, reservationid, status, superseded_at)
      select noticeid, kind, 'console', bookid, userid, reservationid, 'suppressed', clock_timestamp() from to_suppress
      on conflict (noticeid) do nothing
    ), waiting as (
      delete from undelivered v using to_suppress d join notice n on n.noticeid = d.noticeid
      where v.seq = n.seq returning v.seq
    )
    update notice n set status = 'suppressed', superseded_at = clock_timestamp() from waiting w where n.seq = w.seq`
  return count
}
