/** When a notice is tried again, and when no more. */

import type { DueNotice, Outcome } from './delivery.ts'
import type { Mark } from './queue.ts'

const firstMs = 1_000
const longestMs = 60 * 60 * 1_000
/** A notice that is older than this tells nobody anything new. */
export const giveUpAfterMs = 3 * 24 * 60 * 60 * 1_000

/** Doubles with each attempt up to an hour; half of it is chance, so that many do not return at once. */
export function retryDelayMs(attempts: number, random: () => number): number {
  const ms = Math.min(longestMs, firstMs * 2 ** Math.min(attempts - 1, 30))
  return ms * (0.5 + random() / 2)
}

/** @param now milliseconds since the epoch. */
export function markOf(notice: DueNotice, outcome: Outcome, now: number, random: () => number): Mark {
  const mark = { seq: notice.seq, attempts: notice.attempts, error: null, afterMs: 0 }
  switch (outcome.type) {
    case 'sent':
      return { ...mark, outcome: 'sent' }
    case 'failed':
      return { ...mark, outcome: 'failed', error: outcome.error }
    case 'deferred':
      return { ...mark, outcome: 'deferred', error: outcome.error, afterMs: outcome.afterMs * (1 + random()) }
    case 'retry': {
      const givenUp = now - notice.createdAt.getTime() > giveUpAfterMs
      if (givenUp) return { ...mark, outcome: 'failed', error: `${outcome.error}; gave up` }
      return {
        ...mark,
        outcome: 'retry',
        error: outcome.error,
        afterMs: retryDelayMs(notice.attempts, random),
      }
    }
  }
}
