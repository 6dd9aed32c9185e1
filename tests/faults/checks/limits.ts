/** Limits of failed requests, of time and of resources. */
import { hangsAfterMs } from '../requests.ts'
import { streamMax } from '../resources.ts'
import type { Check, Facts } from './check.ts'

export const limits: Check[] = [
  { name: 'reservations are accepted', violations: accepts },
  { name: 'acceptance stays fast', violations: staysFast },
  {
    name: 'clients that respect readyz see no error',
    violations: ({ needs, calls, fault }) =>
      calls
        .filter(({ end, endedAt }) => needs.unnoticed && end === 'unknown' && endedAt >= fault.from)
        .map(
          ({ id, kind, tries }) => `call ${id} (${kind}): ${tries.map((it) => it.status).join(', then ')}`,
        ),
  },
  {
    name: 'a burst is served as well as normal load',
    violations: ({ burst }) =>
      burst && burst.goodput < goodputMin * burst.capacity
        ? [`${burst.goodput.toFixed(0)}/s were accepted of ${burst.capacity.toFixed(0)}/s`]
        : [],
  },
  { name: 'nothing hangs', violations: nothingHangs },
  { name: 'it recovers in time', violations: recovers },
  { name: 'dead connections are replaced in time', violations: replaces },
  { name: 'nothing is left over', violations: nothingLeft },
  { name: 'no process exits by itself', violations: ({ faults }) => faults },
]

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

function accepts({ needs, availability }: Facts): string[] {
  const { accepted, acceptedAfterRetry, asked } = availability
  const { share = 0, afterRetry = false } = needs
  const found = afterRetry ? acceptedAfterRetry : accepted
  return found < share
    ? [
        `${percent(found)} of ${asked} were accepted${afterRetry ? ' after one retry' : ''}, not ${percent(share)}`,
      ]
    : []
}

const goodputMin = 0.8

/** On a busy machine a percentile of a few hundred requests says little below this. */
const floorMs = 500
/** How often a process waits for its turn while a reservation is accepted: client, service, Postgres, service, client. */
const turns = 5

function staysFast({ needs, availability }: Facts): string[] {
  if (!needs.fast) return []
  const { p99Ms, normalP99Ms, lateP99Ms } = availability
  const limit = Math.max(floorMs, 2 * normalP99Ms) + turns * lateP99Ms
  const [was, before, late] = [p99Ms, normalP99Ms, lateP99Ms].map((it) => it.toFixed(0))
  return p99Ms > limit ? [`p99 was ${was} ms, with ${before} ms before, on a machine ${late} ms late`] : []
}

function nothingHangs({ needs, availability, calls }: Facts): string[] {
  const { promptMs = Number.POSITIVE_INFINITY } = needs
  const { slowestMs, lateP99Ms } = availability
  const hung = calls.filter(({ tries, waitS = 0 }) =>
    tries.some((it) => it.tookMs >= hangsAfterMs + waitS * 1_000),
  )
  const late = slowestMs > promptMs + turns * lateP99Ms
  return [
    ...hung.map(({ id, kind }) => `call ${id} (${kind}) hung`),
    ...(late
      ? [`a response took ${slowestMs.toFixed(0)} ms, on a machine ${lateP99Ms.toFixed(0)} ms late`]
      : []),
    ...(needs.only503 ? availability.otherThan503.map((it) => `a call was answered ${it}`) : []),
  ]
}

function recovers({ needs, availability }: Facts): string[] {
  const { decidedMs, acceptedMs } = availability.recovery
  const late = (what: string, found: number, limit: number | undefined) =>
    limit !== undefined && found > limit ? [`${what} took ${found} ms, not ${limit}`] : []
  return [
    ...late('deciding what had been accepted', decidedMs, needs.decidedMs),
    ...late('accepting again', acceptedMs, needs.acceptedMs),
  ]
}

function replaces({ needs: { replacedMs }, replacement, calls }: Facts): string[] {
  if (replacedMs === undefined || !replacement) return []
  const { at, workedAfterMs } = replacement
  const refused = calls
    .filter(({ kind }) => kind === 'reserve')
    .flatMap(({ id, tries }) => tries.map((it) => ({ id, ...it })))
    .filter((it) => it.at > at + replacedMs && (it.status === 0 || it.status >= 500))
  return [
    ...(workedAfterMs > replacedMs
      ? [`accepted reservations were decided and notified after ${workedAfterMs} ms`]
      : []),
    ...refused.map((it) => `call ${it.id} was answered ${it.status} ${it.at - at} ms after`),
  ]
}

const growthMax = 3
const memoryMinMb = 250
const connectionsMore = 4
function nothingLeft({ resources: { before, after } }: Facts): string[] {
  const grown = [...after.memoryMb].filter(
    ([name, mb]) => mb > Math.max(memoryMinMb, growthMax * (before.memoryMb.get(name) ?? 0)),
  )
  return [
    ...grown.map(([name, mb]) => `${name} uses ${mb} MB`),
    ...(after.postgresConnections > after.postgresConnectionsMax
      ? [`${after.postgresConnections} connections to Postgres, ${after.postgresConnectionsMax} at most`]
      : []),
    ...(after.idleInTransaction > 0 ? [`${after.idleInTransaction} connections idle in transaction`] : []),
    ...(after.redisConnections > before.redisConnections + connectionsMore
      ? [`${after.redisConnections} connections to Redis, ${before.redisConnections} before`]
      : []),
    ...(after.longestStream > streamMax ? [`a stream of ${after.longestStream} entries`] : []),
  ]
}
