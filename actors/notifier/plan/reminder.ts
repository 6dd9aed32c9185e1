/** When a customer is reminded to collect a copy. Pure. */
import { dayBefore } from './local-time.ts'

/** A customer who was notified this recently needs no reminder. */
const quietMs = 12 * 60 * 60 * 1_000

/**
 * @param pickupBy the deadline, ISO 8601.
 * @param notifiedAt when the customer is notified of the deadline, ISO 8601.
 * @returns the same time on the day before the deadline; undefined if that is too soon after the notice.
 */
export function remindAt(
  pickupBy: string,
  notifiedAt: string | undefined,
  timeZone: string,
): string | undefined {
  const at = dayBefore(new Date(pickupBy), timeZone)
  const isSoon = notifiedAt !== undefined && at.getTime() - Date.parse(notifiedAt) < quietMs
  return isSoon ? undefined : at.toISOString()
}
