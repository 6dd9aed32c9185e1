/** On a day of a library, do customers who wait get their copies in order, while staff fetch, hand over, take back and replace them? */
import { check, sleep } from 'k6'
import exec from 'k6/execution'
import http from 'k6/http'
import { Counter } from 'k6/metrics'
import type { Options } from 'k6/options'
import { overtaken, unaudited } from './lib/figures.ts'
import { countOvertaken } from './lib/order.ts'
import { arrivals, usual } from './lib/scenario.ts'
import { settings } from './lib/settings.ts'
import { anyOf, audit, type Difference, listedMax, type Shelf, stockShelf } from './lib/shelf.ts'
import { changeHolds, movementsOf, setRules, type Task, tasks } from './lib/staff.ts'
import { summaryOf } from './lib/summary.ts'
import {
  cancel,
  countReservations,
  findReservation,
  findStock,
  names,
  receive,
  reserve,
} from './lib/system.ts'
import { calm, decidedWithin, truth, within } from './lib/thresholds.ts'

const seconds = settings.seconds ?? 120
/** How many copies a member of staff takes at a time. */
const armful = 20

// A 409 means that the customer has canceled. Each call checks what it expects.
http.setResponseCallback(http.expectedStatuses(200, 201, 409))

const collected = new Counter('collected')
const returned = new Counter('returned')

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      // More than staff can serve: most customers wait.
      peak: 60,
      stages: [
        [15, 0.2],
        [75, 1],
        [30, 0.2],
      ],
      exec: 'customer',
    }),
    staff: { executor: 'constant-vus', vus: 1, duration: `${Math.ceil(seconds)}s`, exec: 'staff' },
  },
  thresholds: {
    ...truth,
    ...calm,
    overtaken: ['count==0'],
    refused: ['count==0'],
    queued: ['count>0'],
    collected: ['count>0'],
    returned: ['count>0'],
    ...decidedWithin(250, 1_000),
    ...within(names.reserve, 250, 1_000),
    ...within(names.cancel, 150, 500),
    ...within(names.reservation, 150, 500),
    ...within(names.tasks, 150, 500),
    ...within(names.hold, 250, 1_000),
  },
}

export function setup(): Shelf {
  const shelf = stockShelf(10, 3)
  for (const bookid of shelf.books) setRules(bookid)
  return shelf
}

/** One in ten cancels. */
export function customer(shelf: Shelf): void {
  const number = exec.scenario.iterationInTest
  const reservation = reserve(anyOf(shelf), `customer-${number}`)
  if (!reservation) return
  if (reservation.status === 'Waiting')
    check(findReservation(reservation.reservationid), {
      'the position is within the queue': (it) =>
        it?.status !== 'Waiting' || (it.position! >= 1 && it.position! <= it.waiting!),
    })
  if (number % 10 === 9) cancel(reservation.reservationid)
}

/** The copies that this member of staff has handed over. */
let lent: Task[] = []

/** A round: copies come back, others are handed over, and others are fetched. In one round of ten, one is damaged and replaced. */
export function staff(): void {
  returned.add(changeHolds(lent, { status: 'Returned' }).length)
  lent = changeHolds(tasks('ready', armful), { status: 'Collected' })
  collected.add(lent.length)
  const fetched = tasks('pull', armful)
  const damaged = exec.scenario.iterationInTest % 10 === 5 ? fetched.splice(0, 1) : []
  changeHolds(fetched, { status: 'Ready' })
  const gone = changeHolds(damaged, { status: 'Waiting', cause: 'Damaged' })
  for (const { bookid } of gone) receive([bookid], 1)
  sleep(0.2)
}

export function teardown(shelf: Shelf): void {
  audit(shelf, compare)
  for (const bookid of shelf.books) {
    const movements = movementsOf(bookid)
    if (movements) overtaken.add(countOvertaken(movements))
    else unaudited.add(1)
  }
}

/** No copy is promised twice, lost, or idle while customers wait. */
function compare(bookid: string, copies: number): Difference {
  const count = (status: string) => countReservations(bookid, status, listedMax)
  const stock = findStock(bookid)
  const [requested, waiting, reserved, ready, out] = [
    count('Requested'),
    count('Waiting'),
    count('Reserved'),
    count('Ready'),
    count('Collected'),
  ]
  const isKnown = [requested, waiting, reserved, ready, out].every((it) => it !== undefined)
  if (!stock || !isKnown) return { forgotten: 0, oversold: 0, unaudited: 1 }
  const astray = Math.abs(copies - stock.qty - stock.held - stock.out!)
  const promised = Math.abs(reserved! + ready! - stock.held) + Math.abs(out! - stock.out!)
  const idle = Math.min(stock.qty, waiting!)
  return {
    forgotten: requested! + Math.abs(waiting! - stock.waiting!),
    oversold: astray + promised + idle,
    unaudited: 0,
  }
}

export const handleSummary = summaryOf('library')
