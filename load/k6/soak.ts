/** After hours of a usual day, has anything grown, slowed down or been lost? */
import { sleep } from 'k6'
import { Trend } from 'k6/metrics'
import type { Options } from 'k6/options'
import { enterPhase } from './lib/phases.ts'
import { arrivals, usual } from './lib/scenario.ts'
import { settings } from './lib/settings.ts'
import { anyOf, auditShelf, type Shelf, stockShelf } from './lib/shelf.ts'
import { summaryOf } from './lib/summary.ts'
import { cancel, lookAtBooks, names, readMetrics, reserve } from './lib/system.ts'
import { calm, decidedWithin, type Thresholds, truth, within } from './lib/thresholds.ts'

/** Growth shows in the difference between the last phase and the first. */
const phases = { first: 1_800, middle: 5_400, last: 7_200 }

const seconds = settings.seconds ?? 2 * 3_600
const lookEveryS = Math.max(1, Math.min(30, seconds / 20))

const residentMb = new Trend('resident_mb')

/** Per phase, because in the whole run a slow last half hour would be hidden by fast hours. */
const inPhase = (phase: keyof typeof phases): Thresholds => ({
  ...decidedWithin(250, 1_000, phase),
  ...within(names.reserve, 250, 1_000, phase),
  ...within(names.cancel, 150, 500, phase),
  ...within(names.books, 150, 500, phase),
  [`resident_mb{service:reservation,phase:${phase}}`]: ['min>0', 'max<200'],
  [`resident_mb{service:stock,phase:${phase}}`]: ['min>0', 'max<200'],
})

export const options: Options = {
  ...usual,
  scenarios: {
    customers: arrivals({
      peak: 100,
      stages: [
        [60, 1],
        [2 * 3_600 - 60, 1],
      ],
      exec: 'customer',
    }),
    memory: { executor: 'constant-vus', vus: 1, duration: `${Math.ceil(seconds)}s`, exec: 'look' },
  },
  thresholds: {
    ...truth,
    ...calm,
    ...decidedWithin(250, 1_000),
    ...inPhase('first'),
    ...inPhase('last'),
  },
}

export const setup = () => stockShelf(500, 10_000_000)

export function customer(shelf: Shelf): void {
  enterPhase(phases)
  const chance = Math.random()
  if (chance < 0.2) lookAtBooks()
  const reservation = reserve(anyOf(shelf), `customer-${Math.floor(chance * 100_000)}`)
  if (chance > 0.8 && reservation?.status === 'Reserved') cancel(reservation.reservationid)
}

/** Records the memory of the services, from their metrics. */
export function look(): void {
  enterPhase(phases)
  for (const [service, url] of [
    ['reservation', settings.reservationOpsUrl],
    ['stock', settings.stockOpsUrl],
  ] as const) {
    const bytes = /^process_resident_memory_bytes(?:\{.*?\})? ([\d.e+]+)/m.exec(readMetrics(url))?.[1]
    if (bytes) residentMb.add(Number(bytes) / 1e6, { service })
  }
  sleep(lookEveryS)
}

export const teardown = auditShelf
export const handleSummary = summaryOf('soak')
