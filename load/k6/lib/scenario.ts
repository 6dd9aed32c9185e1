/** An open model: customers arrive at a rate, whether or not the system keeps up. */
import type { Options, RampingArrivalRateScenario } from 'k6/options'
import { settings } from './settings.ts'
import { rampOf, type Stage } from './stages.ts'

/** Seconds that a customer may take at the peak before arrivals are dropped. */
const patienceS = 2
const usersMax = 2_000

export type Arrivals = { stages: Stage[]; peak: number; exec?: string }

export function arrivals({ stages, peak, exec }: Arrivals): RampingArrivalRateScenario {
  const rate = settings.rate ?? peak
  const ramp = rampOf(stages, rate, settings.seconds)
  const users = Math.min(usersMax, Math.max(10, Math.ceil(rate * patienceS)))
  return {
    executor: 'ramping-arrival-rate',
    timeUnit: '1s',
    startRate: ramp.startRate,
    stages: ramp.stages,
    preAllocatedVUs: Math.ceil(users / 4),
    maxVUs: users,
    ...(exec && { exec }),
  }
}

/** The options of k6 in every script. */
export const usual: Options = {
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max', 'count'],
  // The audit lists tens of thousands of reservations, and waits for the last decisions.
  teardownTimeout: '10m',
}
