/** Settings of a script, from the environment: `k6 run -e RATE=50 load/k6/reserve.ts`, or from `npm run load`. */

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
  /** Base URLs of the metrics, which the soak test reads. */
  reservationOpsUrl: urlOf('RESERVATION_OPS_URL', 'http://localhost:9081'),
  stockOpsUrl: urlOf('STOCK_OPS_URL', 'http://localhost:9082'),
  /** The token of a program, for a system with identity. */
  token: __ENV.TOKEN || undefined,
  /** The peak, in customers per second. Default: that of the script. */
  rate: numberOf('RATE'),
  /** The total length of the run. Default: that of the script. */
  seconds: numberOf('SECONDS'),
  /** The file for the results as JSON, if any. */
  resultsFile: __ENV.RESULTS_FILE || undefined,
  /** A prefix of the run's book ids, so that a run never uses the books of another. */
  run: __ENV.RUN || 'load',
}
