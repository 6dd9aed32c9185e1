/** Every fault of the campaign. */
import { clocks } from './clocks.ts'
import { crashPoints } from './crash-points.ts'
import { disks } from './disks.ts'
import { limited } from './limits.ts'
import { overload } from './overload.ts'
import { poison } from './poison.ts'
import { postgres } from './postgres.ts'
import { processes } from './processes.ts'
import { races } from './races.ts'
import { receivers } from './receivers.ts'
import { redis } from './redis.ts'
import { restoring } from './restores.ts'
import { rollout } from './rollout.ts'
import type { Scenario } from './scenario.ts'
import { wires } from './wires.ts'

const unlimited: Scenario[] = [
  ...postgres,
  ...restoring,
  ...redis,
  ...processes,
  ...crashPoints,
  ...races,
  ...clocks,
  ...wires,
  ...poison,
  ...receivers,
  ...rollout,
  ...disks,
  ...overload,
]

export const scenarios: Scenario[] = [...unlimited, ...limited(unlimited)]

/** The most likely: every deployment goes through these. */
const likeliest = ['redis-flushed', 'kill-stock', 'zombie-stock']
/** Actions per second: half of the usual rate, since other tests run beside them. */
export const quickRate = 40
/** They run beside other tests, where slow or refused requests mean nothing. */
export const quick: Scenario[] = likeliest
  .map((name) => scenarios.find((it) => it.name === name)!)
  .map((scenario) => ({
    ...scenario,
    needs: { ...scenario.needs, fast: false, share: 0.99, afterRetry: true },
  }))

/** @throws when a name matches no scenario. */
export function chosen(names: string[]): Scenario[] {
  if (names.length === 0) return scenarios
  return names.flatMap((name) => {
    const exact = scenarios.filter((it) => it.name === name)
    const found = exact.length > 0 ? exact : scenarios.filter((it) => it.name.startsWith(name))
    if (found.length === 0) throw new Error(`--scenario ${name}: no such scenario; --list shows all`)
    return found
  })
}
