/** Beyond what it can carry, does it bend or break? Arrivals climb until it must; then it has to recover. */
import http from 'k6/http'
import type { Options } from 'k6/options'
import { enterPhase } from './lib/phases.ts'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { decidedWithin, truth, within } from './lib/thresholds.ts'

/** After the peak, from `after` on, customers are served as before it. */
const phases = { before: 30, climb: 210, peak: 270, settling: 300, after: 340 }

// A service that says 503 with `Retry-After` bends. Anything else but 201 breaks.
http.setResponseCallback(http.expectedStatuses(200, 201, 503))

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      peak: 4_000,
      stages: [
        [30, 0.05],
        [60, 0.25],
        [60, 0.5],
        [60, 1],
        [60, 1],
        [10, 0.05],
        [60, 0.05],
      ],
    }),
  },
  thresholds: {
    ...truth,
    http_req_failed: ['rate<0.001'],
    ...within(names.reserve, 15_000, 15_000),
    // Who waits in vain has no time to a decision: few may.
    undecided: ['count<100'],
    ...decidedWithin(10_000, 15_000),
    ...decidedWithin(250, 1_000, 'before'),
    ...decidedWithin(250, 1_000, 'after'),
    // A 503 is no answer any more.
    'checks{phase:after}': ['rate>0.999'],
    'undecided{phase:after}': ['count==0'],
  },
}

export const setup = () => stockShelf(1_000, 1_000_000)

export default function (shelf: Shelf): void {
  enterPhase(phases)
  reserve(anyOf(shelf), `customer-${Math.floor(Math.random() * 100_000)}`)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('stress')
