/** Stops the notifier from reporting outcomes of reservations that no longer exist. */

import { type Kind, reservationNoticeId } from '../../../actors/notifier/plan/notice.ts'
import { hasTurns, occasionOf } from '../../../actors/notifier/plan/supersession.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Hold } from './holds.ts'

const audiences = ['console', 'person', 'chat'] as const
const outcomes: Record<Hold['status'], Kind[]> = {
  waiting: ['queued'],
  held: ['reserved'],
  ready: ['reserved', 'ready', 'reminder'],
  // Such a reservation is known again.
  collected: [],
  returned: [],
  expired: ['reserved', 'ready', 'reminder', 'expired'],
  refused: ['failed'],
  released: ['reserved', 'failed'],
}

/** The kinds of a hold's notices, each with its occasion: a copy that was taken back has had some of them before. */
function kindsOf({ status, place, turn }: Hold): [Kind, occasion?: string | undefined][] {
  const kinds = new Set(outcomes[status])
  if (place !== null && status !== 'collected') kinds.add('queued')
  const turns = Array.from({ length: turn ?? 1 }, (_, i) => i + 1)
  if (turns.length > 1)
    for (const kind of ['reserved', 'ready', 'reminder', 'taken-back'] as const) kinds.add(kind)
  return [...kinds].flatMap((kind) =>
    hasTurns(kind) ? turns.map((it): [Kind, string?] => [kind, occasionOf(it)]) : [[kind] as [Kind]],
  )
}

/**
 * Suppresses the notices of these outcomes: those waiting to be sent, and those that unread events would create. Notices
 * that were already sent are unchanged. @returns the number that were waiting.
 */
export async function suppressOutcomes(sql: Sql, holds: Hold[]): Promise<number> {
  const notices = holds.flatMap((hold) =>
    kindsOf(hold).flatMap(([kind, occasion]) =>
      audiences.map((audience) => ({
        ...hold,
        kind,
        noticeid: reservationNoticeId(hold.reservationid, kind, audience, occasion),
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
