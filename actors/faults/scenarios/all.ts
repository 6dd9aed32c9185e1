/** Every fault of the campaign. */
import { processes } from './processes.ts'
import { redis } from './redis.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: Scenario[] = [...redis, ...processes]

/** The likeliest: what every deployment goes through. */
const likeliest = ['redis-flushed', 'kill-stock', 'kill-notifier', 'zombie-stock', 'redis-clients-killed']
export const quick: Scenario[] = likeliest.map((name) => scenarios.find((it) => it.name === name)!)

/** @throws when a name begins none. */
export function chosen(names: string[]): Scenario[] {
  if (names.length === 0) return scenarios
  return names.flatMap((name) => {
    const exact = scenarios.filter((it) => it.name === name)
    const found = exact.length > 0 ? exact : scenarios.filter((it) => it.name.startsWith(name))
    if (found.length === 0)
      throw new Error(`--scenario ${name}: there is none of that name; --list shows them`)
    return found
  })
}
