/** What a script can be told, from the environment: `k6 run -e RATE=50 load/reserve.ts`, or by `npm run load`. */

function numberOf(name: string): number | undefined {
  const text = __ENV[name]
  if (!text) return undefined
  const value = Number(text)
  if (value > 0) return value
  throw new Error(`${name} must be a number above 0: ${text}`)
}

const urlOf = (name: string, fallback: string) => (__ENV[name] || fallback).replace(/\/+$/, '')

export const settings = {
  reservationUrl: urlOf('RESERVATION_URL', 'http://localhost:8081'),
  stockUrl: urlOf('STOCK_URL', 'http://localhost:8082'),
  /** Where the two show their metrics, which the soak test reads. */
  reservationOpsUrl: urlOf('RESERVATION_OPS_URL', 'http://localhost:9081'),
  stockOpsUrl: urlOf('STOCK_OPS_URL', 'http://localhost:9082'),
  /** The peak, in customers a second. Absent: what the script takes for usual. */
  rate: numberOf('RATE'),
  /** How long the script runs in all. Absent: as long as its question needs. */
  seconds: numberOf('SECONDS'),
  /** Where the results are written as JSON. Absent: nowhere. */
  resultsFile: __ENV.RESULTS_FILE || undefined,
  /** Begins the ids of the run's books, so that a run never meets the books of another. */
  run: __ENV.RUN || 'load',
}
