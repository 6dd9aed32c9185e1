/** Does everything that a customer can do work? One customer, a few rounds. */
import { check } from 'k6'
import type { Options } from 'k6/options'
import { usual } from './lib/scenario.ts'
import { auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { accept, cancel, findReservation, findStock, lookAtBooks, names, reserve } from './lib/system.ts'
import { calm, decidedWithin, truth, within } from './lib/thresholds.ts'

const rounds = 5

export const options: Options = {
  ...usual,
  scenarios: {
    customer: { executor: 'shared-iterations', vus: 1, iterations: rounds, maxDuration: '60s' },
  },
  thresholds: {
    ...truth,
    ...calm,
    checks: ['rate==1'],
    ...decidedWithin(2_000, 5_000),
    ...within(names.reserve, 2_000, 5_000),
    ...within(names.accept, 1_000, 2_000),
    ...within(names.cancel, 1_000, 2_000),
    ...within(names.reservation, 1_000, 2_000),
    ...within(names.books, 1_000, 2_000),
  },
}

export const setup = (): { one: Shelf; none: Shelf } => ({ one: stockShelf(1, 1), none: stockShelf(1, 0) })

/** Each round ends as it began: the only copy is available. */
export default function ({ one, none }: ReturnType<typeof setup>): void {
  const [bookid] = one.books
  lookAtBooks()
  const first = reserve(bookid!, 'smoke-first')
  check(first, { 'the last copy is reserved': (it) => it?.status === 'Reserved' })
  const second = reserve(bookid!, 'smoke-second')
  check(second, {
    'a second reservation of it fails': (it) => it?.status === 'Failed' && it.reason === 'OutOfStock',
  })
  check(reserve(none.books[0]!, 'smoke-third'), {
    'a reservation without copies fails': (it) => it?.status === 'Failed',
  })
  if (!first) return
  check(cancel(first.reservationid), { 'it is canceled': (it) => it?.status === 'Canceled' })
  check(findReservation(first.reservationid), { 'and stays so': (it) => it?.status === 'Canceled' })
  // It follows the cancellation in the mailbox of the book, so the copy is back.
  const next = reserve(bookid!, 'smoke-next')
  check(next, { 'after a cancellation the copy is available again': (it) => it?.status === 'Reserved' })
  check(findStock(bookid!), { 'and held': (it) => it?.qty === 0 && it.held === 1 })
  if (next) cancel(next.reservationid)
  const accepted = accept(none.books[0]!, 'smoke-patient')
  check(accepted, {
    'without waiting, a reservation is accepted at once': (it) => it?.status === 'Requested',
  })
}

export function teardown({ one, none }: ReturnType<typeof setup>): void {
  auditShelf(one)
  auditShelf(none)
}

export const handleSummary = summaryOf('smoke')
