/** Beyond its capacity, does it degrade or fail? Arrivals rise beyond it; afterwards it must recover. */
import http from 'k6/http'
import type { Options } from 'k6/options'
import { enterPhase } from './lib/phases.ts'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { decidedWithin, truth, within } from './lib/thresholds.ts'

/** From `after` on, customers must be served as before the peak. */
const phases = { before: 30, climb: 210, peak: 270, settling: 300, after: 340 }

// A 503 with `Retry-After` is degradation. Any other answer than 201 is a failure.
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
    // An undecided request has no time to decision, so there must be few of them.
    undecided: ['count<100'],
    ...decidedWithin(10_000, 15_000),
    ...decidedWithin(250, 1_000, 'before'),
    ...decidedWithin(250, 1_000, 'after'),
    // From then on a 503 is a failure.
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
