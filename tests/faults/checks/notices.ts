/** Every outcome has its notices, and each is delivered once, wherever the receiver's answer was known. */
import type { NoticeRow } from '../evidence.ts'
import type { Delivery } from '../inbox.ts'
import { stranger } from '../population.ts'
import { type Check, type Facts, repeated } from './check.ts'
import { isRefusedAtOnce } from './standings.ts'

export const notices: Check[] = [
  { name: 'every outcome has its notices', violations: everyOutcomeHasNotices },
  { name: 'no notice is delivered twice', violations: deliveredOnce },
  { name: 'every event has its own notices', violations: everyEventHasNotices },
  { name: 'after its end only the end is announced', violations: nothingAfterTheEnd },
]

/** Each outcome needs a notice by one channel of each list: customers get theirs by the preferred one, or the other. */
const waysOf = (userid: string | undefined) => [
  ['console'],
  // Customers need not hear that they have a copy.
  ...(userid === undefined ? [] : [['chat']]),
  ...(userid === undefined || userid === stranger ? [] : [['email', 'webhook']]),
]
function everyOutcomeHasNotices({ evidence, replay, deliveries, linesDropped }: Facts): string[] {
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
  const decided = evidence.reservations.filter((row) => !isRefusedAtOnce(row))
  const unsent = decided.flatMap(({ reservationid, userid, status }) => {
    const kind = replay.lives.get(reservationid)?.kind ?? 'none'
    return waysOf(kind === 'handed-over' ? undefined : userid)
      .filter(
        (ways) =>
          !rows
            .get(reservationid)
            ?.some(
              (row) =>
                ways.includes(row.channel) && row.kind === kind && (delivered(row) || refused(row, ways)),
            ),
      )
      .map((ways) => `${reservationid} is ${status}: no notice by ${ways.join(' or ')}`)
  })
  const unheard = evidence.notices
    .filter((row) => row.status === 'sent' && !delivered(row))
    .map((row) => `${row.channel} notice ${row.noticeid} is sent, but never arrived`)
  return [...unsent, ...unheard]
}

/** How long before a harm a delivery may be that could not be recorded any more, including the time of its claim. */
const markWithinMs = 3_000
/** How long after it a process that wakes up may still deliver, before its commit shows that it is no longer the owner. */
const wakeMs = 1_000

function deliveredOnce({ deliveries, harms, unheard }: Facts): string[] {
  // Those on consoles are listed process by process.
  const known = deliveries.filter(({ answered }) => answered).sort((a, b) => a.at - b.at)
  return repeated(known, ({ noticeid }) => noticeid)
    .filter(([first]) => !unheard.has(first!.noticeid) && !mayBeUnmarked(first!, harms))
    .map((of) => `${of[0]!.channel} notice ${of[0]!.noticeid} was taken ${of.length} times`)
}

/** Whether its process may have been hurt before it could record the delivery. */
const mayBeUnmarked = ({ at }: Delivery, harms: Facts['harms']) =>
  harms.some(({ what, from, to }) => what === 'notifier' && at >= from - markWithinMs && at <= to + wakeMs)

/** The console gets a notice of every step, however often stock repeats its answer. */
function everyEventHasNotices({ evidence, replay }: Facts): string[] {
  const printed = Map.groupBy(
    evidence.notices.filter((it) => it.channel === 'console' && it.reservationid && it.kind !== 'reminder'),
    ({ reservationid }) => reservationid!,
  )
  const counts = (of: NoticeRow[] = []) =>
    JSON.stringify([...Map.groupBy(of, ({ kind }) => kind)].map(([kind, its]) => [kind, its.length]).sort())
  return [...replay.lives].flatMap(([reservationid, { notices }]) => {
    const [wanted, found] = [JSON.stringify([...notices].sort()), counts(printed.get(reservationid))]
    return wanted === found ? [] : [`${reservationid}: must have ${wanted}, has ${found}`]
  })
}

/** Kinds that end what earlier notices said. A copy that was collected may still be returned, which is not announced. */
const ends: ReadonlySet<string> = new Set(['failed', 'cancelled', 'expired', 'handed-over'])

/** How long a delivery may take that began before the end was known. */
const underWayMs = 20_000

/** Only an end is delivered once the notifier has recorded one, and no reminder of a copy that is not on the hold shelf is due. */
function nothingAfterTheEnd(facts: Facts): string[] {
  const { evidence, replay } = facts
  const idle = evidence.notices.filter(
    ({ kind, status, reservationid }) =>
      kind === 'reminder' && status === 'pending' && replay.lives.get(reservationid!)?.state !== 'ready',
  )
  return [
    ...idle.map(
      ({ reservationid }) => `${reservationid}: a reminder is due, but its copy is not on the hold shelf`,
    ),
    ...deliveredAfterTheEnd(facts),
  ]
}

function deliveredAfterTheEnd({ evidence, deliveries, harms }: Facts): string[] {
  const rows = new Map(evidence.notices.map((it) => [it.noticeid, it]))
  const endOf = new Map<string, number>()
  for (const { reservationid, kind, channel, sentAt } of evidence.notices) {
    if (!reservationid || !sentAt || channel !== 'console' || !ends.has(kind)) continue
    endOf.set(reservationid, Math.min(sentAt.getTime(), endOf.get(reservationid) ?? Number.POSITIVE_INFINITY))
  }
  return deliveries.flatMap((delivery) => {
    const { reservationid, kind } = rows.get(delivery.noticeid) ?? {}
    const end = endOf.get(reservationid ?? '')
    if (!kind || ends.has(kind) || end === undefined || delivery.channel === 'console') return []
    return delivery.at <= end + underWayMs || mayBeUnmarked(delivery, harms)
      ? []
      : [`${reservationid}: ${kind} by ${delivery.channel} ${delivery.at - end} ms after its end`]
  })
}
