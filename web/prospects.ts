/** The prospects of a reservation, as far as they are known before it is made. */
import type { Book } from './apis/reservation.ts'
import type { Rules, Stock } from './apis/stock.ts'
import type { Words } from './words/words.ts'

export type Chance =
  /** A copy is there. */
  | { type: 'available' }
  /** @param number in the queue. */
  | { type: 'wait'; number: number }
  | { type: 'full' }
  /** It fails, and the purchaser learns that a copy is missing. */
  | { type: 'ask' }
  /** Stock is down: it decides later. */
  | { type: 'open' }

/** @param stock undefined when it is down. The book's actor decides; this is a forecast from counts that may lag. */
export function chanceOf({ qty, waiting }: Pick<Book, 'qty' | 'waiting'>, stock: Stock | undefined): Chance {
  if (qty > 0 && waiting === 0) return { type: 'available' }
  if (waiting > 0 && !stock) return { type: 'wait', number: waiting + 1 }
  if (!stock) return { type: 'open' }
  const limit = queueLimit(stock)
  if (limit === 0) return { type: 'ask' }
  return waiting >= limit ? { type: 'full' } : { type: 'wait', number: waiting + 1 }
}

function queueLimit({ rules, owned, onOrder }: Stock): number {
  const copies = (owned ?? 0) + (onOrder ?? 0)
  if (!rules || copies === 0) return 0
  return Math.min(rules.queueMax, (rules.queuePerCopy ?? Number.POSITIVE_INFINITY) * copies)
}

/** A sentence for each rule that matters to a customer. */
export function rulesInWords({ book }: Words, rules: Rules | null): string[] {
  if (!rules) return [book.rulesOriginal]
  const { pullStep, pickupDays, onePerBook, waitDays, queueMax } = rules
  return [
    ...(pullStep ? [book.rulesPull] : []),
    pickupDays === null ? book.rulesPickupNone : book.rulesPickup(pickupDays),
    ...(onePerBook ? [book.rulesOne] : []),
    ...(waitDays !== null && queueMax > 0 ? [book.rulesWait(waitDays)] : []),
  ]
}
