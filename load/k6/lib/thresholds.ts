/** The thresholds of all scripts, and those of most scripts. Pure. */
import type { Name } from './system.ts'

export type Thresholds = Record<string, string[]>

/** Under any load: never more reservations than copies, and an outcome for each. */
export const truth: Thresholds = {
  oversold: ['count==0'],
  forgotten: ['count==0'],
  // A book that was not audited may be wrong.
  unaudited: ['count==0'],
}

/** No request is refused, and no arrival is dropped. */
export const calm: Thresholds = {
  http_req_failed: ['rate<0.001'],
  checks: ['rate>0.999'],
  dropped_iterations: ['count==0'],
  undecided: ['count==0'],
}

/** Latencies in milliseconds. k6 reports figures per name only for names with a threshold. */
export const within = (name: Name, p95: number, p99: number, phase?: string): Thresholds => ({
  [`http_req_duration{name:${name}${phase ? `,phase:${phase}` : ''}}`]: [`p(95)<${p95}`, `p(99)<${p99}`],
})

/** Without any decision there is no figure, which k6 would accept as fast: hence `min>0`. */
export const decidedWithin = (p95: number, p99: number, phase?: string): Thresholds => ({
  [`time_to_decision${phase ? `{phase:${phase}}` : ''}`]: ['min>0', `p(95)<${p95}`, `p(99)<${p99}`],
})
