/** The metrics of the scripts, besides k6's own. */
import { Counter, Trend } from 'k6/metrics'

/** From the request to the decided answer, in milliseconds. */
export const timeToDecision = new Trend('time_to_decision', true)

export const reserved = new Counter('reserved')
/** Reservations that wait in a queue. */
export const queued = new Counter('queued')
export const refused = new Counter('refused')
/** Requests that were answered before the decision, because the wait was over. */
export const undecided = new Counter('undecided')

/** Copies that were promised twice or lost, found by the final audit. */
export const oversold = new Counter('oversold')
/** Reservations without an outcome when the audit gave up. */
export const forgotten = new Counter('forgotten')
/** Books that the audit could not check. */
export const unaudited = new Counter('unaudited')
/** Reservations that were served before another one of their book that had waited longer. */
export const overtaken = new Counter('overtaken')
