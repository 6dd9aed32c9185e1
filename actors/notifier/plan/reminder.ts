/** When a customer is reminded to collect a copy. Pure. */
import { dayBefore } from './local-time.ts'
import type { Subject } from './notice.ts'

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

type DueReminder = Pick<Subject, 'kind' | 'details'> & { retried: boolean; ageMs: number }

/** Whether the notice is a reminder whose deadline passed while no notice could be sent. @param notice with its age since it was due. */
export function isOver({ kind, details, retried, ageMs }: DueReminder): boolean {
  if (kind !== 'reminder' || retried || details?.type !== 'reservation') return false
  const { pickupBy, remindAt } = details
  return !!pickupBy && !!remindAt && Date.parse(remindAt) + ageMs >= Date.parse(pickupBy)
}
