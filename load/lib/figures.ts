/** What the scripts count beside k6's own metrics. */
import { Counter, Trend } from 'k6/metrics'

/** From the customer's request to the decided answer, in milliseconds. */
export const timeToDecision = new Trend('time_to_decision', true)

export const reserved = new Counter('reserved')
export const refused = new Counter('refused')
/** Answered before it was decided: the wait was over. */
export const undecided = new Counter('undecided')

/** Copies promised beyond those that were there, and copies that were lost. Found by the audit at the end. */
export const oversold = new Counter('oversold')
/** Reservations that still had no outcome when the audit gave up on them. */
export const forgotten = new Counter('forgotten')
/** Books of which the audit did not get to know enough to say so. */
export const unaudited = new Counter('unaudited')
