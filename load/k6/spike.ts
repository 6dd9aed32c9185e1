/** When a book is in the evening news, what do customers notice of the spike, and how soon is it over? */
import type { Options } from 'k6/options'
import { enterPhase } from './lib/phases.ts'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { calm, decidedWithin, truth, within } from './lib/thresholds.ts'

/** From `after` on, customers must not notice the spike any more. */
const phases = { before: 30, spike: 65, settling: 80, after: 120 }

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      peak: 1_000,
      stages: [
        [30, 0.05],
        [5, 1],
        [25, 1],
        [5, 0.05],
        [55, 0.05],
      ],
    }),
  },
  thresholds: {
    ...truth,
    ...calm,
    // A few customers of a spike may have to come again.
    dropped_iterations: ['count<100'],
    ...decidedWithin(250, 1_000, 'before'),
    ...decidedWithin(2_000, 5_000, 'spike'),
    ...decidedWithin(250, 1_000, 'after'),
    ...within(names.reserve, 2_000, 5_000),
  },
}

export const setup = () => stockShelf(50, 1_000_000)

/** In the spike, all customers want the first book. */
export default function (shelf: Shelf): void {
  const bookid = enterPhase(phases) === 'spike' ? shelf.books[0]! : anyOf(shelf)
  reserve(bookid, `customer-${Math.floor(Math.random() * 100_000)}`)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('spike')
