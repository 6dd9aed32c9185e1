/** Why a command of staff had no effect, as a problem of the HTTP API. */
import { Problem, type ProblemSlug } from '../../platform/http/problem.ts'
import type { CommandRefusal } from '../messages.ts'

const slugs = {
  NotHeld: 'not-held',
  NotReady: 'not-on-shelf',
  NotOut: 'not-out',
  NotLent: 'not-lent',
  OtherCustomer: 'other-customer',
  CustomerBlocked: 'customer-blocked',
  CopiesHeld: 'copies-held',
  NothingRequested: 'nothing-requested',
} as const satisfies Record<CommandRefusal, ProblemSlug>

/** @param now the present state, for the client. */
export const refused = (refusal: CommandRefusal, now: Record<string, unknown>): Problem =>
  new Problem(slugs[refusal], { extensions: now })
