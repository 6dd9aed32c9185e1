/** The availability that customers saw during the fault. */
import { type Call, staffKinds, type Try } from './history.ts'
import type { Late } from './observer.ts'

export type Period = { from: number; to: number }

export type Availability = {
  /** Reservations requested during the fault. */
  asked: number
  /** Shares of them, from 0 to 1: accepted at once; and of those with a key, accepted at once or after one retry. */
  accepted: number
  acceptedAfterRetry: number
  p99Ms: number
  normalP99Ms: number
  /** How long the machine made a process wait for its turn, in the 99th percentile. */
  lateP99Ms: number
  /** The slowest response to a request without a wait. */
  slowestMs: number
  /** Statuses other than success and 503; 0 for no response. */
  otherThan503: number[]
  recovery: { decidedMs: number; acceptedMs: number }
}

export function availabilityOf(
  calls: Call[],
  normal: Period,
  fault: Period,
  decidedMs: number,
  late: Late[],
): Availability {
  const during = calls.filter(({ invokedAt }) => within(invokedAt, fault))
  const reserves = during.filter(({ kind }) => kind === 'reserve')
  const keyed = reserves.filter(({ key }) => key)
  const plain = during.filter(({ kind, waitS = 0 }) => waitS === 0 && !staffKinds.has(kind))
  const tries = reserves.flatMap((call) => call.tries)
  return {
    asked: reserves.length,
    accepted: share(reserves, (call) => isGood(call.tries[0])),
    acceptedAfterRetry: share(keyed, (call) => call.tries.some(isGood)),
    p99Ms: p99(reserves),
    normalP99Ms: p99(calls.filter(({ kind, invokedAt }) => kind === 'reserve' && within(invokedAt, normal))),
    lateP99Ms: p99Of(late.filter(({ at }) => within(at, fault)).map(({ ms }) => ms)),
    slowestMs: Math.max(0, ...plain.flatMap((call) => call.tries.map((it) => it.tookMs))),
    otherThan503: tries
      .map(({ status }) => status)
      .filter((status) => status === 0 || (status >= 500 && status !== 503)),
    recovery: { decidedMs, acceptedMs: acceptedAfter(calls, fault.to) },
  }
}

const within = (at: number, { from, to }: Period) => at >= from && at < to
const isGood = (it: Try | undefined): boolean => it !== undefined && it.status >= 200 && it.status < 300

const share = (calls: Call[], holds: (call: Call) => boolean) =>
  calls.length === 0 ? 1 : calls.filter(holds).length / calls.length

/** Of requests accepted at once, without a wait for the decision. */
function p99(calls: Call[]): number {
  const accepted = calls.filter(({ tries, waitS = 0 }) => waitS === 0 && isGood(tries[0]))
  return p99Of(accepted.map(({ tries }) => tries[0]!.tookMs))
}

function p99Of(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0
}

/** How long after `at` the first reservation was accepted. */
function acceptedAfter(calls: Call[], at: number): number {
  const ends = calls
    .filter(({ kind }) => kind === 'reserve')
    .flatMap(({ tries }) => tries.filter(isGood).map((it) => it.at + it.tookMs))
    .filter((end) => end >= at)
  return Math.round(Math.min(...ends) - at)
}
