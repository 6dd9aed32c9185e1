/** Every outcome has its notices, and each is delivered once, wherever the receiver's answer was known. */
import type { NoticeRow, ReservationRow } from '../evidence.ts'
import type { Delivery } from '../inbox.ts'
import { stranger } from '../population.ts'
import { type Check, type Facts, repeated } from './check.ts'

export const notices: Check[] = [
  { name: 'every outcome has its notices', violations: everyOutcomeHasNotices },
  { name: 'no notice is delivered twice', violations: deliveredOnce },
]

/** Each outcome needs a notice by one channel of each list: customers get theirs by the preferred one, or the other. */
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

function everyOutcomeHasNotices({ evidence, deliveries, linesDropped }: Facts): string[] {
  const rows = Map.groupBy(evidence.notices, ({ reservationid }) => reservationid)
  const taken = new Set(deliveries.filter(({ answered }) => answered).map(({ noticeid }) => noticeid))
  const unprinted = evidence.notices.filter(
    (row) => row.channel === 'console' && row.status === 'sent' && !taken.has(row.noticeid),
  )
  // Without a line for each, the console has reported that it dropped at least as many.
  if (unprinted.length <= linesDropped) for (const { noticeid } of unprinted) taken.add(noticeid)
  const delivered = (row: NoticeRow) => row.status === 'sent' && taken.has(row.noticeid)
  const asked = new Set(deliveries.map(({ channel, noticeid }) => `${channel} ${noticeid}`))
  // Every receiver has refused it permanently.
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
                (delivered(row) || refused(row, ways)),
            ),
      )
      .map((ways) => `${reservationid} is ${status}: no notice by ${ways.join(' or ')}`),
  )
  const unheard = evidence.notices
    .filter((row) => row.status === 'sent' && !delivered(row))
    .map((row) => `${row.channel} notice ${row.noticeid} is sent, but never arrived`)
  return [...unsent, ...unheard]
}

/** How long before a harm a delivery may be that could not be recorded any more, including the time of its claim. */
const markWithinMs = 3_000
/** How long after it a process that wakes up may still deliver, before its commit shows that it is no longer the owner. */
const wakeMs = 1_000

function deliveredOnce({ deliveries, harms }: Facts): string[] {
  const known = deliveries.filter(({ answered }) => answered)
  return repeated(known, ({ noticeid }) => noticeid)
    .filter(([first]) => !mayBeUnmarked(first!, harms))
    .map((of) => `${of[0]!.channel} notice ${of[0]!.noticeid} was taken ${of.length} times`)
}

/** Whether its process may have been hurt before it could record the delivery. */
const mayBeUnmarked = ({ at }: Delivery, harms: Facts['harms']) =>
  harms.some(({ what, from, to }) => what === 'notifier' && at >= from - markWithinMs && at <= to + wakeMs)
