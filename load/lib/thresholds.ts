/** What every script holds the system to, and what most of them do. Pure. */
import type { Name } from './system.ts'

export type Thresholds = Record<string, string[]>

/** Never more reservations than copies, and an outcome for each: however hard the load. */
export const truth: Thresholds = {
  oversold: ['count==0'],
  forgotten: ['count==0'],
  // What was not looked at is not known to be right.
  unaudited: ['count==0'],
}

/** Nothing refused, nothing too late to be sent. */
export const calm: Thresholds = {
  http_req_failed: ['rate<0.001'],
  checks: ['rate>0.999'],
  dropped_iterations: ['count==0'],
  undecided: ['count==0'],
}

/** Within so many milliseconds; a name's threshold is also what makes k6 tell its figures apart. */
export const within = (name: Name, p95: number, p99: number, phase?: string): Thresholds => ({
  [`http_req_duration{name:${name}${phase ? `,phase:${phase}` : ''}}`]: [`p(95)<${p95}`, `p(99)<${p99}`],
})

/** Where nothing at all was decided there is no figure, and k6 would take that for quick: hence `min>0`. */
export const decidedWithin = (p95: number, p99: number, phase?: string): Thresholds => ({
  [`time_to_decision${phase ? `{phase:${phase}}` : ''}`]: ['min>0', `p(95)<${p95}`, `p(99)<${p99}`],
})
