/**
 * Requests to buy, gathered: the purchaser is told of a book once, with all that came until then. Pure.
 *
 * G1. A request of an earlier batch that nobody has tried to send yet takes up later ones; so does one of this batch.
 * G2. Whoever is refused behind a request raises it, as long as it was not sent. The refusal right before a request is
 *     the one that made it, and is in its shortage already.
 * G3. A request that was not sent when its book was ordered is not sent: it would have the book bought twice. What is
 *     requested behind the order is a request of its own.
 */
import type { Plan, PlannedNotice } from './plan.ts'

/** What is added to the request for a book that is still to be sent; if there is none, `noticeid` makes one. */
export type Gathering = {
  key: string
  partition: number
  shortage: number
  /** Absent when somebody was refused and nothing was requested. */
  noticeid: string | null
}

/** The book's request under which others are gathered. */
export const keyOf = (bookid: string): string => `purchase-requested/${bookid}`

const isRequest = ({ kind, audience }: PlannedNotice) =>
  kind === 'purchase-requested' && audience === 'person'

/**
 * @param plan with its notices in the order of their events.
 * @param told of those, what was told on the console, and so is new.
 * @returns the notices that remain, and what is gathered.
 */
export function gather(
  { notices, orders }: Pick<Plan, 'notices' | 'orders'>,
  told: ReadonlySet<PlannedNotice>,
): { notices: PlannedNotice[]; gatherings: Gathering[] } {
  const gatherings = new Map<string, Gathering>()
  const requests = new Map<string, PlannedNotice>()
  const at = (notice: PlannedNotice): Gathering => {
    const key = keyOf(notice.bookid)
    const known = gatherings.get(key)
    if (known) return known
    const gathering = { key, partition: notice.partition, shortage: 0, noticeid: null }
    gatherings.set(key, gathering)
    return gathering
  }
  const waiting = orders.toReversed()
  const heedOrders = (behind: number) => {
    while (waiting.length > 0 && waiting.at(-1)!.behind <= behind) {
      const { bookid } = waiting.pop()!
      const request = requests.get(bookid)
      if (request) request.superseded = true
      requests.delete(bookid)
      gatherings.delete(keyOf(bookid))
    }
  }
  const kept = notices.filter((notice, index) => {
    heedOrders(index)
    if (isRequest(notice)) {
      const gathering = at(notice)
      const { shortage } = notice
      const request = requests.get(notice.bookid)
      const opening = gathering.shortage > 0 ? 1 : 0
      gathering.shortage += shortage! - opening
      if (request) request.shortage! += shortage! - opening
      else requests.set(notice.bookid, notice)
      gathering.noticeid ??= notice.noticeid
      return !request
    }
    if (notice.kind === 'failed' && told.has(notice)) {
      at(notice).shortage += 1
      const request = requests.get(notice.bookid)
      if (request) request.shortage! += 1
    }
    return true
  })
  heedOrders(notices.length)
  return { notices: kept, gatherings: [...gatherings.values()] }
}
