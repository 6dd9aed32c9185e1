/** Every outcome is told; and told once, wherever the receiver's answer was known. */
import type { NoticeRow, ReservationRow } from '../evidence.ts'
import type { Telling } from '../inbox.ts'
import { stranger } from '../population.ts'
import { type Check, type Facts, repeated } from './check.ts'

export const notices: Check[] = [
  { name: 'every outcome is told', violations: everyOutcomeIsTold },
  { name: 'no outcome is told twice', violations: toldOnce },
]

/** Who is to be told, each by one of these. A reader by the channel that she prefers, or by the other in its place. */
const waysOf = (userid: string) => [
  ['console'],
  ['chat'],
  ...(userid === stranger ? [] : [['email', 'webhook']]),
]
const kindOf: Record<ReservationRow['status'], string> = {
  Requested: 'none',
  Reserved: 'reserved',
  Failed: 'failed',
  Canceled: 'cancelled',
}

function everyOutcomeIsTold({ evidence, tellings }: Facts): string[] {
  const rows = Map.groupBy(evidence.notices, ({ reservationid }) => reservationid)
  const taken = new Set(tellings.filter(({ answered }) => answered).map(({ noticeid }) => noticeid))
  const told = (row: NoticeRow) => row.status === 'sent' && taken.has(row.noticeid)
  const asked = new Set(tellings.map(({ channel, noticeid }) => `${channel} ${noticeid}`))
  // Every receiver that there is said that it never wants it.
  const refused = ({ status, noticeid }: NoticeRow, ways: string[]) =>
    status === 'failed' && ways.every((way) => asked.has(`${way} ${noticeid}`))
  const unsent = evidence.reservations.flatMap(({ reservationid, userid, status }) =>
    waysOf(userid)
      .filter(
        (ways) =>
          !rows
            .get(reservationid)
            ?.some(
              (row) =>
                ways.includes(row.channel) &&
                row.kind === kindOf[status] &&
                (told(row) || refused(row, ways)),
            ),
      )
      .map((ways) => `${reservationid} is ${status}: not told by ${ways.join(' or ')}`),
  )
  const unheard = evidence.notices
    .filter((row) => row.status === 'sent' && !told(row))
    .map((row) => `${row.channel} notice ${row.noticeid} is sent, and never came`)
  return [...unsent, ...unheard]
}

/** How long before a harm a telling may have been made that could not be marked any more, and how long its claim lasts. */
const markWithinMs = 3_000
/** How long after it whoever wakes up may still tell what it had in hand, before its commit tells that it is no owner any more. */
const wakeMs = 1_000

function toldOnce({ tellings, harms }: Facts): string[] {
  const known = tellings.filter(({ answered }) => answered)
  return repeated(known, ({ noticeid }) => noticeid)
    .filter(([first]) => !mayBeUnmarked(first!, harms))
    .map((of) => `${of[0]!.channel} notice ${of[0]!.noticeid} was taken ${of.length} times`)
}

/** Who told it was hurt before it could note that. */
const mayBeUnmarked = ({ at }: Telling, harms: Facts['harms']) =>
  harms.some(({ what, from, to }) => what === 'notifier' && at >= from - markWithinMs && at <= to + wakeMs)
