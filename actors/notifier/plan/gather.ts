/**
 * Gathers purchase requests, so that the purchaser gets one notice per book. Pure.
 *
 * G1. Later requests are added to an unsent request for the same book, from this batch or an earlier one, unless delivery has
 *     been attempted.
 * G2. Each refusal after a request raises its shortage while the request is unsent. The refusal right before a request
 *     caused it, so its shortage includes that one.
 * G3. A request that is unsent when its book is ordered is not sent: the book would be bought twice. The same goes for a request
 *     that the purchaser declines, and for one without refusals when no reservation waits any more. A request after that is a new
 *     one.
 * G4. The newest request says how many wait for the book.
 */
import type { RefusalReason } from '../../messages.ts'
import type { Plan, PlannedNotice } from './plan.ts'

/** An addition to the unsent request for a book. If there is none, `noticeid` becomes the request. */
export type Gathering = {
  key: string
  partition: number
  shortage: number
  /** If known. */
  waiting: number | null
  /** `null`: reservations were refused, but stock requested nothing. */
  noticeid: string | null
}

/** Identifies the book's unsent request in the queue. */
export const keyOf = (bookid: string): string => `purchase-requested/${bookid}`

/** Other failures have nothing to do with the number of copies. */
const shortages: ReadonlySet<string | null> = new Set<RefusalReason>([
  'OutOfStock',
  'UnknownBook',
  'QueueFull',
])

const isRequest = ({ kind, audience }: PlannedNotice) =>
  kind === 'purchase-requested' && audience === 'person'

/**
 * @param plan with its notices in the order of their events.
 * @param printed the notices of the plan that were printed for the first time, and so are new.
 * @returns the notices that remain, and what is gathered.
 */
export function gather(
  { notices, orders }: Pick<Plan, 'notices' | 'orders'>,
  printed: ReadonlySet<PlannedNotice>,
): { notices: PlannedNotice[]; gatherings: Gathering[] } {
  const gatherings = new Map<string, Gathering>()
  const requests = new Map<string, PlannedNotice>()
  const gatheringOf = (notice: PlannedNotice): Gathering => {
    const key = keyOf(notice.bookid)
    const existing = gatherings.get(key)
    if (existing) return existing
    const gathering = { key, partition: notice.partition, shortage: 0, waiting: null, noticeid: null }
    gatherings.set(key, gathering)
    return gathering
  }
  const ordersLeft = orders.toReversed()
  const applyOrders = (index: number) => {
    while (ordersLeft.length > 0 && ordersLeft.at(-1)!.index <= index) {
      const { bookid, ofQueue } = ordersLeft.pop()!
      if (ofQueue && (gatherings.get(keyOf(bookid))?.shortage ?? 0) > 0) continue
      const request = requests.get(bookid)
      if (request) request.superseded = true
      requests.delete(bookid)
      gatherings.delete(keyOf(bookid))
    }
  }
  const kept = notices.filter((notice, index) => {
    applyOrders(index)
    if (isRequest(notice)) {
      const gathering = gatheringOf(notice)
      const { details } = notice
      const request = requests.get(notice.bookid)
      const counted = gathering.shortage > 0 ? 1 : 0
      const shortage = Math.max(0, notice.shortage! - counted)
      gathering.shortage += shortage
      if (details?.type === 'purchase') gathering.waiting = details.waiting
      if (request) {
        request.shortage! += shortage
        if (details) request.details = details
      } else requests.set(notice.bookid, notice)
      gathering.noticeid ??= notice.noticeid
      return !request
    }
    if (notice.kind === 'failed' && shortages.has(notice.reason) && printed.has(notice)) {
      gatheringOf(notice).shortage += 1
      const request = requests.get(notice.bookid)
      if (request) request.shortage! += 1
    }
    return true
  })
  applyOrders(notices.length)
  return { notices: kept, gatherings: [...gatherings.values()] }
}
