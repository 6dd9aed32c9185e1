/** The installation and the time, as decisions see them: one time and one calendar for a batch. */
import type { Surroundings } from './changes.ts'
import { type Calendar, deadlineOf } from './deadline.ts'
import { type Rules, rulesOf } from './rules.ts'

const dayMs = 86_400_000

/**
 * @param now of the batch, not of its messages: a command that waited until stock was up again gets no old deadline.
 * @param defaults the installation's rules.
 */
export function surroundingsAt(now: Date, defaults: Rules, calendar: Calendar): Surroundings {
  /** By the number of open days. */
  const deadlines = new Map<number, string>()

  function deadlineAfter(pickupDays: number): string {
    const known = deadlines.get(pickupDays)
    if (known !== undefined) return known
    const deadline = deadlineOf(now, pickupDays, calendar).toISOString()
    deadlines.set(pickupDays, deadline)
    return deadline
  }

  return {
    rulesOf: (book) => rulesOf(defaults, book.rules),
    pickupBy: ({ pickupDays }) => (pickupDays === null ? null : deadlineAfter(pickupDays)),
    lapsesAt: ({ waitDays }) =>
      waitDays === null ? null : new Date(now.getTime() + waitDays * dayMs).toISOString(),
  }
}
