/** All invariants, which must hold whatever happened. */
import { bookList } from './book-list.ts'
import type { Check, Facts } from './check.ts'
import { copies } from './copies.ts'
import { limits } from './limits.ts'
import { messages } from './messages.ts'
import { notices } from './notices.ts'
import { outcomes } from './outcomes.ts'
import { queues } from './queues.ts'
import { requests } from './requests.ts'
import { standings } from './standings.ts'

export const checks: Check[] = [
  ...copies,
  ...outcomes,
  ...queues,
  ...standings,
  ...requests,
  ...messages,
  ...bookList,
  ...notices,
  ...limits,
]

export type Violation = { check: string; where: string[] }

export const violationsOf = (facts: Facts): Violation[] =>
  checks.flatMap(({ name, violations }) => {
    const where = violations(facts)
    return where.length > 0 ? [{ check: name, where }] : []
  })
