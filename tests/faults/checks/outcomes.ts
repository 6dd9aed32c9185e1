/** Every accepted reservation gets exactly one outcome, which is final. */
import type { Status } from '../../../actors/reservation/reservation.ts'
import { answerOf, type Call } from '../history.ts'
import type { State } from '../replay/lives.ts'
import { type Check, differences, type Facts } from './check.ts'
import { isRefusedAtOnce } from './standings.ts'

export const outcomes: Check[] = [
  { name: 'every 201 has one outcome', violations: oneOutcome },
  { name: 'refusals are justified', violations: ({ replay }) => replay.unjustified },
  { name: 'a hold is released once', violations: ({ replay }) => replay.releasedAgain },
  { name: 'an outcome is final', violations: outcomesStand },
  {
    name: 'a book without rules has the events that it always had',
    violations: ({ replay }) => replay.unfamiliar,
  },
]

/** The states of stock's hold that fit each status. */
const fitting: Record<Exclude<Status, 'Requested'>, readonly State[]> = {
  Waiting: ['waiting'],
  Reserved: ['held'],
  Ready: ['ready'],
  Collected: ['collected'],
  Returned: ['returned'],
  Failed: ['refused'],
  // The hold expired before stock heard of the cancellation.
  Canceled: ['released', 'expired'],
  Expired: ['expired'],
}

function oneOutcome({ calls, evidence, replay }: Facts): string[] {
  const rows = new Map(evidence.reservations.map((row) => [row.reservationid, row]))
  const lost = accepted(calls)
    .filter(([id]) => !rows.has(id))
    .map(([id, call]) => `call ${call.id}: ${id} was accepted and is missing`)
  const wrong = evidence.reservations.flatMap(({ reservationid, status, reason }) => {
    const state = replay.lives.get(reservationid)?.state
    if (isRefusedAtOnce({ reason }))
      return state ? [`${reservationid} was refused, but stock has ${state}`] : []
    if (status === 'Requested') return [`${reservationid} has no outcome`]
    return state && fitting[status].includes(state)
      ? []
      : [`${reservationid} is ${status}, but stock has ${state}`]
  })
  const held = [...replay.lives].map(([id, { state, reason }]) => [id, [state, reason ?? null]] as const)
  const stored = evidence.holds.map((it) => [it.reservationid, [it.status, it.reason]] as const)
  return [
    ...lost,
    ...wrong,
    ...replay.contradicted,
    ...differences(new Map<string, unknown>(held), new Map(stored)),
  ]
}

const accepted = (calls: Call[]): [string, Call][] =>
  calls
    .filter(({ kind }) => kind === 'reserve' || kind === 'repeat')
    .flatMap((call) => {
      const answer = answerOf<Answered>(call)
      return answer ? [[answer.reservationid, call]] : []
    })

type Answered = { reservationid: string; status: Status; createdAt?: string }

const late = ['Collected', 'Returned'] as const
const ends = ['Expired', 'Failed', 'Canceled', ...late] as const
const open = ['Waiting', 'Reserved', 'Ready', ...ends] as const

/** The statuses that a customer may see after each. Steps in between may go unseen. */
const next: Record<Status, readonly Status[]> = {
  Requested: ['Requested', ...open],
  Waiting: open,
  Reserved: open,
  Ready: open,
  Collected: late,
  Returned: ['Returned'],
  Failed: ['Failed'],
  // The copy was handed over before stock heard of the cancellation.
  Canceled: ['Canceled', ...late],
  Expired: ['Expired'],
}

/** Of books without rules. */
const nextWithoutRules: Partial<typeof next> = {
  Requested: ['Requested', 'Reserved', 'Failed', 'Canceled'],
  Reserved: ['Reserved', 'Canceled'],
  Canceled: ['Canceled'],
}

/** Answered with a hold, in the same words, but ahead of the reservation service. */
const ofStock = new Set<Call['kind']>(['look at a hold', 'change a hold'])

type Seen = { status: Status; from: number; to: number; call: number }

/** A status that a client has seen is followed only by those that may follow it. */
function outcomesStand({ calls, evidence, replay }: Facts): string[] {
  const seen = new Map<string, Seen[]>()
  const hasRules = (reservationid: string) => {
    const life = replay.lives.get(reservationid)
    return life !== undefined && replay.shelves.get(life.bookid)!.rules !== undefined
  }
  for (const { id, kind, end, body, invokedAt, endedAt } of calls) {
    const { reservationid, status } = (body ?? {}) as Partial<Answered>
    if (end !== 'ok' || !reservationid || !status || ofStock.has(kind)) continue
    const of = seen.get(reservationid) ?? []
    seen.set(reservationid, [...of, { status, from: invokedAt, to: endedAt, call: id }])
  }
  for (const { reservationid, status } of evidence.reservations) {
    const now = { status, from: Number.MAX_SAFE_INTEGER, to: Number.POSITIVE_INFINITY, call: -1 }
    seen.get(reservationid)?.push(now)
  }
  const followedBy = (reservationid: string, { status }: Seen): readonly Status[] =>
    (hasRules(reservationid) ? undefined : nextWithoutRules[status]) ?? next[status]
  return [...seen].flatMap(([reservationid, views]) =>
    views.flatMap((earlier) =>
      views
        .filter(
          (later) => later.from > earlier.to && !followedBy(reservationid, earlier).includes(later.status),
        )
        .map(
          (later) => `${reservationid}: ${earlier.status} in call ${earlier.call}, then ${describe(later)}`,
        ),
    ),
  )
}

const describe = ({ status, call }: Seen) => (call < 0 ? `${status} in the end` : `${status} in call ${call}`)
