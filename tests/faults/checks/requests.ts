/** Requests and stored rows correspond one to one. */
import type { Reservation } from '../../harness/acts.ts'
import { answerOf, type Call, callIdOf, staffKinds } from '../history.ts'
import { type Check, type Facts, repeated } from './check.ts'

export const requests: Check[] = [
  { name: 'one key, one reservation', violations: oneKeyOneReservation },
  { name: 'responses match the stored rows', violations: answersWhatIsStored },
  { name: 'no row without a request', violations: noRowWithoutRequest },
  {
    name: 'an answered cancel has taken effect',
    violations: ({ calls, evidence }) => {
      const rows = new Map(evidence.reservations.map((row) => [row.reservationid, row]))
      // Unless the copy was handed over before: stock's log says when.
      const canceled = ['Canceled', 'Collected', 'Returned']
      return calls
        .filter((call) => call.kind === 'cancel' && answerOf(call))
        .filter(({ reservationid }) => !canceled.includes(rows.get(reservationid!)?.status ?? ''))
        .map(({ id, reservationid }) => `call ${id}: ${reservationid} is ${rows.get(reservationid!)?.status}`)
    },
  },
  {
    name: 'responses match the OpenAPI documents',
    violations: ({ calls }) => [
      ...calls.flatMap(({ id, kind, broken }) => (broken ? [`call ${id} (${kind}): ${broken}`] : [])),
      ...calls
        .filter(({ tries, lateTries }) => [...tries, ...lateTries].some(({ status }) => status === 500))
        .map(({ id, kind }) => `call ${id} (${kind}) was answered 500`),
    ],
  },
  {
    name: 'every repeated call gets a response',
    violations: ({ unanswered }) =>
      unanswered.map(({ id, kind }) => `call ${id} (${kind}) was never answered`),
  },
]

const isReserve = ({ kind }: Call) => kind === 'reserve' || kind === 'repeat'

function oneKeyOneReservation({ calls, evidence }: Facts): string[] {
  const keyed = calls.filter((call) => isReserve(call) && call.key)
  const answers = [...Map.groupBy(keyed, ({ key }) => key!)].flatMap(([key, of]) => {
    const ids = new Set(of.flatMap((call) => answerOf<Reservation>(call)?.reservationid ?? []))
    return ids.size > 1 ? [`${key} was answered with ${[...ids].join(' and ')}`] : []
  })
  const rows = repeated(
    evidence.reservations.filter((row) => calls[callIdOf(row.traceparent) ?? -1]?.key),
    (row) => calls[callIdOf(row.traceparent)!]!.key!,
  )
  return [...answers, ...rows.map((of) => `one key made ${of.map((it) => it.reservationid).join(' and ')}`)]
}

/** Of a reservation, for every request that returned it. */
function answersWhatIsStored({ calls, evidence }: Facts): string[] {
  const rows = new Map(evidence.reservations.map((row) => [row.reservationid, row.createdAt.toISOString()]))
  return calls.filter(isReserve).flatMap((call) => {
    const { reservationid, createdAt } = answerOf<Reservation & { createdAt: string }>(call) ?? {}
    const stored = reservationid && rows.get(reservationid)
    return stored && stored !== createdAt
      ? [`call ${call.id}: ${reservationid} was made ${stored}, but the response said ${createdAt}`]
      : []
  })
}

/** A call that was refused in the end may have had its effect by an earlier try without an answer. */
const mayHaveEffect = ({ end, tries }: Call) =>
  end !== 'fail' || tries.slice(0, -1).some(({ status }) => status === 0 || status >= 500)

function noRowWithoutRequest({ calls, evidence }: Facts): string[] {
  const { reservations, holds, commands, purchases } = evidence
  const known = new Set(reservations.map((row) => row.reservationid))
  const unasked = reservations.filter(({ traceparent, bookid, userid }) => {
    const call = calls[callIdOf(traceparent) ?? -1]
    return !call || !isReserve(call) || call.bookid !== bookid || call.userid !== userid
  })
  const keyless = repeated(
    reservations.filter((row) => !calls[callIdOf(row.traceparent) ?? -1]?.key),
    (row) => String(callIdOf(row.traceparent)),
  )
  const asked = (kind: Call['kind']) =>
    calls.filter((call) => call.kind === kind && mayHaveEffect(call)).length
  const tooMany = commands.length - [...staffKinds].reduce((sum, kind) => sum + asked(kind), 0)
  return [
    ...unasked.map((row) => `reservation ${row.reservationid}: no client requested it`),
    ...keyless.map((of) => `one request made ${of.map((it) => it.reservationid).join(' and ')}`),
    ...holds
      .filter((row) => !known.has(row.reservationid))
      .map((row) => `hold ${row.reservationid}: no reservation`),
    ...(tooMany > 0 ? [`${tooMany} more commands than requested`] : []),
    ...(purchases.length > asked('order')
      ? [`${purchases.length} purchases, but ${asked('order')} requested`]
      : []),
  ]
}
