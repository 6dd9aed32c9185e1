/** The availability that customers saw during the fault. */
import { type Call, staffKinds, type Try } from './history.ts'

export type Period = { from: number; to: number }

export type Availability = {
  /** Reservations requested during the fault. */
  asked: number
  /** Shares of them, from 0 to 1: accepted at once; and of those with a key, accepted at once or after one retry. */
  accepted: number
  acceptedAfterRetry: number
  p99Ms: number
  normalP99Ms: number
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
): Availability {
  const during = calls.filter(({ invokedAt }) => invokedAt >= fault.from && invokedAt < fault.to)
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
  const took = calls
    .filter(({ tries, waitS = 0 }) => waitS === 0 && isGood(tries[0]))
    .map(({ tries }) => tries[0]!.tookMs)
    .sort((a, b) => a - b)
  return took[Math.min(took.length - 1, Math.floor(took.length * 0.99))] ?? 0
}

/** How long after `at` the first reservation was accepted. */
function acceptedAfter(calls: Call[], at: number): number {
  const ends = calls
    .filter(({ kind }) => kind === 'reserve')
    .flatMap(({ tries }) => tries.filter(isGood).map((it) => it.at + it.tookMs))
    .filter((end) => end >= at)
  return Math.round(Math.min(...ends) - at)
}
