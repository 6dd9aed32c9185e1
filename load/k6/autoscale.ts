/** Does an autoscaler add workers when the load lasts and remove them afterwards, without customers noticing? */
import type { Options } from 'k6/options'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { decidedWithin, truth, within } from './lib/thresholds.ts'

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      peak: 1_500,
      stages: [
        // One replica is sufficient.
        [120, 0.05],
        // Long enough for an autoscaler that checks every 15 s to react, and to see the effect.
        [60, 1],
        [420, 1],
        // Longer than the five minutes that autoscalers usually wait before they scale down.
        [30, 0.05],
        [600, 0.05],
      ],
    }),
  },
  thresholds: {
    ...truth,
    // Replicas that come and go must not cost a request.
    http_req_failed: ['rate<0.001'],
    undecided: ['count<10'],
    ...decidedWithin(2_000, 10_000),
    ...within(names.reserve, 2_000, 10_000),
  },
}

export const setup = () => stockShelf(500, 10_000_000)

export default function (shelf: Shelf): void {
  reserve(anyOf(shelf), `customer-${Math.floor(Math.random() * 100_000)}`)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('autoscale')
