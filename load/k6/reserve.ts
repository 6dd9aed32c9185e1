/** How long do customers wait while the rate of arrivals rises to that of a busy day? */
import type { Options } from 'k6/options'
import { arrivals, usual } from './lib/scenario.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { cancel, lookAtBooks, names, reserve } from './lib/system.ts'
import { calm, decidedWithin, truth, within } from './lib/thresholds.ts'

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      peak: 300,
      stages: [
        [15, 0.1],
        [30, 0.5],
        [30, 1],
        [60, 1],
        [15, 0],
      ],
    }),
  },
  thresholds: {
    ...truth,
    ...calm,
    ...decidedWithin(250, 1_000),
    ...within(names.reserve, 250, 1_000),
    ...within(names.cancel, 150, 500),
    ...within(names.books, 150, 500),
  },
}

export const setup = () => stockShelf(200, 1_000_000)

/** One in five looks at the list first, one in ten cancels. */
export default function (shelf: Shelf): void {
  const customer = Math.random()
  if (customer < 0.2) lookAtBooks()
  const reservation = reserve(anyOf(shelf), `customer-${Math.floor(customer * 100_000)}`)
  if (customer > 0.9 && reservation?.status === 'Reserved') cancel(reservation.reservationid)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('reserve')
