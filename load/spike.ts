/** When a book is in the evening news, how do customers fare during the spike, and how soon is all as before? */
import exec from 'k6/execution'
import type { Options } from 'k6/options'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { calm, truth, within } from './lib/thresholds.ts'

/** The spike stands from here to there, as shares of the run; from `calmAfter` on nobody may notice it any more. */
const spikeFrom = 30 / 120
const spikeTo = 65 / 120
const calmAfter = 80 / 120

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
    // Who arrives at a spike may have to come again, but few do.
    dropped_iterations: ['count<100'],
    'time_to_decision{phase:before}': ['p(95)<250'],
    'time_to_decision{phase:spike}': ['p(95)<2000', 'p(99)<5000'],
    'time_to_decision{phase:after}': ['p(95)<250'],
    ...within(names.reserve, 2_000, 5_000),
  },
}

export const setup = () => stockShelf(50, 1_000_000)

/** In the spike, everybody wants the first book. */
export default function (shelf: Shelf): void {
  const phase = phaseAt(exec.scenario.progress)
  exec.vu.metrics.tags.phase = phase
  const bookid = phase === 'spike' ? shelf.books[0]! : anyOf(shelf)
  reserve(bookid, `customer-${Math.floor(Math.random() * 100_000)}`)
}

function phaseAt(progress: number): 'before' | 'spike' | 'settling' | 'after' {
  if (progress < spikeFrom) return 'before'
  if (progress < spikeTo) return 'spike'
  return progress < calmAfter ? 'settling' : 'after'
}

export const teardown = auditShelf
export const handleSummary = summaryOf('spike')
