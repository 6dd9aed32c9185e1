/** Every accepted reservation gets exactly one outcome, which is final. */
import type { Reservation, Status } from '../../harness/acts.ts'
import { answerOf, type Call } from '../history.ts'
import type { Check, Facts } from './check.ts'

export const outcomes: Check[] = [
  { name: 'every 201 has one outcome', violations: oneOutcome },
  { name: 'refusals are justified', violations: ({ replay }) => replay.unjustified },
  { name: 'a hold is released once', violations: ({ replay }) => replay.releasedAgain },
  { name: 'an outcome is final', violations: outcomesStand },
]

/** The state of stock's hold that fits each status. */
const fitting: Record<string, string> = {
  Reserved: 'held',
  Failed: 'refused',
  Canceled: 'released',
}

function oneOutcome({ calls, evidence, replay }: Facts): string[] {
  const rows = new Map(evidence.reservations.map((row) => [row.reservationid, row]))
  const lost = accepted(calls)
    .filter(([id]) => !rows.has(id))
    .map(([id, call]) => `call ${call.id}: ${id} was accepted and is missing`)
  const wrong = evidence.reservations.flatMap(({ reservationid, status }) => {
    const memory = replay.reservations.get(reservationid)
    if (status === 'Requested') return [`${reservationid} has no outcome`]
    return fitting[status] === memory ? [] : [`${reservationid} is ${status}, but stock has ${memory}`]
  })
  return [...lost, ...wrong, ...replay.contradicted]
}

const accepted = (calls: Call[]): [string, Call][] =>
  calls
    .filter(({ kind }) => kind === 'reserve' || kind === 'repeat')
    .flatMap((call) => {
      const answer = answerOf<Reservation>(call)
      return answer ? [[answer.reservationid, call]] : []
    })

const next: Record<Status, Status[]> = {
  Requested: ['Requested', 'Reserved', 'Failed', 'Canceled'],
  Reserved: ['Reserved', 'Canceled'],
  Failed: ['Failed'],
  Canceled: ['Canceled'],
}

type Seen = { status: Status; from: number; to: number; call: number }

/** A status that a client has seen never changes for later requests, except to canceled. */
function outcomesStand({ calls, evidence }: Facts): string[] {
  const seen = new Map<string, Seen[]>()
  for (const { id, end, body, invokedAt, endedAt } of calls) {
    const { reservationid, status } = (body ?? {}) as Partial<Reservation>
    if (end !== 'ok' || !reservationid || !status) continue
    const of = seen.get(reservationid) ?? []
    seen.set(reservationid, [...of, { status, from: invokedAt, to: endedAt, call: id }])
  }
  for (const { reservationid, status } of evidence.reservations) {
    const now = { status, from: Number.MAX_SAFE_INTEGER, to: Number.POSITIVE_INFINITY, call: -1 }
    seen.get(reservationid)?.push(now)
  }
  return [...seen].flatMap(([reservationid, views]) =>
    views.flatMap((earlier) =>
      views
        .filter((later) => later.from > earlier.to && !next[earlier.status].includes(later.status))
        .map(
          (later) => `${reservationid}: ${earlier.status} in call ${earlier.call}, then ${describe(later)}`,
        ),
    ),
  )
}

const describe = ({ status, call }: Seen) => (call < 0 ? `${status} in the end` : `${status} in call ${call}`)
