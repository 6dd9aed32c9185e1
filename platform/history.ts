/**
 * Removes customers' names from what is over, once `HISTORY_DAYS` have passed.
 *
 * HI1. Ids of reservations rise with time. So a pass reads a table in the order of its primary key, up to the ids that are old
 *      enough. It needs no index of its own, and costs nothing when reservations are made or decided.
 * HI2. A page is one statement, which reads and changes at most `historyPageMax` rows and waits for no lock. So it may be stopped
 *      at any time, and processes may run passes beside each other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'
import { Rounds } from './rounds.ts'

export const historyPageMax = 1_000
const passEveryMs = 6 * 3_600_000
const retryAfterMs = 60_000
/** Between two pages, so that a pass takes no connection for long. */
const restMs = 50
const dayMs = 86_400_000

export type HistoryPage = {
  /** The last id that was read; null after the last page. */
  last: string | null
  /** How many rows have lost the name. */
  forgotten: number
}

type HistoryOptions = {
  days: number
  /** Handles the rows after an id and before another, in order. */
  page(after: string, before: string): Promise<HistoryPage>
  /** By Postgres's clock. */
  now(): Date
  log: Pick<Log, 'info' | 'warn'>
}

export class History extends Rounds {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    super({ name: 'forget-history', isCalm: true })
    this.#options = options
  }

  protected async round(signal: AbortSignal): Promise<number> {
    const { days, page, now, log } = this.#options
    let forgotten = 0
    try {
      const before = lowestId(now().getTime() - days * dayMs)
      for (let after: string | null = lowestId(0); after !== null && !signal.aborted; ) {
        const done: HistoryPage = await page(after, before)
        forgotten += done.forgotten
        after = done.last
        this.pulse.beat(restMs)
        await sleep(restMs, undefined, { signal }).catch(() => {})
      }
      return passEveryMs
    } finally {
      if (forgotten > 0) log.info({ count: forgotten }, 'removed names from the history')
    }
  }

  protected failed(error: unknown): number {
    this.#options.log.warn({ err: error }, 'cannot remove names from the history, will retry')
    return retryAfterMs
  }
}

/** @returns an id below all that are made at this time or later (`uuid.ts`). @param now milliseconds since 1970. */
export function lowestId(now: number): string {
  const time = Math.max(0, Math.trunc(now)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}
