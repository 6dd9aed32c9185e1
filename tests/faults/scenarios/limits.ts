/** Faults of other scenarios, while customers ask for more reservations than they may have, and staff block some of them. */
import type { Habits } from '../workload.ts'
import type { Scenario } from './scenario.ts'

const activeMax = 4

const greedy: Habits = [
  ['reach the limit', 4],
  ['reserve', 20],
  ['queue up', 6],
  ['cancel', 24],
  ['cancel twice', 6],
  ['repeat', 8],
  ['receive', 6],
  ['attend the desk', 30],
  ['block', 1],
  ['block at the desk', 5],
  ['unblock', 3],
  ['withdraw', 1],
  ['look', 4],
  ['list', 1],
]

const hurting = [
  'postgres-backends-killed',
  'kill-reservation',
  'stock-down',
  'desk-races',
  'replies-swallowed',
  'postgres-silent',
]

export const limited = (scenarios: Scenario[]): Scenario[] =>
  hurting.map((name) => {
    const scenario = scenarios.find((it) => it.name === name)!
    return {
      ...scenario,
      name: `limits-${name}`,
      title: `with limits per customer, ${scenario.title}`,
      world: { ...scenario.world, activeMax },
      habits: greedy,
    }
  })
