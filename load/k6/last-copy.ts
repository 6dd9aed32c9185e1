/** When many customers want the last copies at once, are exactly as many promised as there are? */
import exec from 'k6/execution'
import type { Options } from 'k6/options'
import { usual } from './lib/scenario.ts'
import { settings } from './lib/settings.ts'
import { auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { names, reserve } from './lib/system.ts'
import { calm, decidedWithin, truth, within } from './lib/thresholds.ts'

const books = 5
const copies = 40
/** The number of customers per copy. */
const rivals = 25
const customers = books * copies * rivals

export const options: Options = {
  ...usual,
  scenarios: {
    rush: {
      executor: 'shared-iterations',
      vus: settings.rate ?? 200,
      iterations: customers,
      maxDuration: '5m',
    },
  },
  thresholds: {
    ...truth,
    ...calm,
    // Exactly as many successes as copies.
    reserved: [`count<=${books * copies}`, `count>=${books * copies}`],
    refused: [`count==${customers - books * copies}`],
    ...decidedWithin(1_000, 2_000),
    ...within(names.reserve, 1_000, 2_000),
  },
}

export const setup = () => stockShelf(books, copies)

/** All customers want one book, then all want the next. */
export default function (shelf: Shelf): void {
  const number = exec.scenario.iterationInTest
  reserve(shelf.books[Math.floor(number / (copies * rivals))]!, `customer-${number}`)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('last-copy')
