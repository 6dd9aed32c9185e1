/**
 * The session of a person: an encrypted cookie, which any process can read without a store.
 *
 * SE1. A session has a new id at each login. Its cookie is invisible to scripts, and sent to these pages alone.
 * SE2. Customers are logged out after 30 days without a page, staff after 30 minutes, and after 12 hours in any case.
 * SE3. Logging out ends it in every process, even for a copy of the cookie (`EndedSessions`).
 * SE4. Existing sessions continue while the provider and the database are down.
 */
import { z } from 'zod'
import { idSchema } from '../ids.ts'
import { roles } from '../who.ts'

const schema = z.object({
  sid: z.string().regex(/^[\w-]{43}$/),
  /** Of the provider. */
  sub: z.string().min(1).max(256),
  userid: idSchema,
  roles: z.array(z.enum(roles)).min(1),
  /** When it began, and when it was last used: seconds since 1970. */
  begun: z.number(),
  seen: z.number(),
  /** The ID token, with which the provider recognizes who logs out. Absent if it is too long for a cookie. */
  hint: z.string().optional(),
})
export type Session = z.output<typeof schema>

/** @returns undefined for what another version has written. */
export const toSession = (payload: unknown): Session | undefined => schema.safeParse(payload).data

const minuteS = 60
const dayS = 86_400

/** Seconds. */
const limits = {
  customer: { idleS: 30 * dayS, wholeS: Number.POSITIVE_INFINITY, noteS: dayS },
  staff: { idleS: 30 * minuteS, wholeS: 12 * 60 * minuteS, noteS: minuteS },
}

/** After that even the fact that it has expired is forgotten. */
export const cookieDays = 31

export const isStaff = (it: Pick<Session, 'roles'>): boolean => it.roles.some((role) => role !== 'customer')
const limitsOf = (it: Pick<Session, 'roles'>) => limits[isStaff(it) ? 'staff' : 'customer']

/** @returns when it expires unless it is used, in seconds since 1970. */
export function expiryOf(it: Pick<Session, 'roles' | 'begun' | 'seen'>): number {
  const { idleS, wholeS } = limitsOf(it)
  return Math.floor(Math.min(it.seen + idleS, it.begun + wholeS))
}

/** Whether its use must be noted: not at every page, because each note is a new cookie. */
export const isToBeNoted = (it: Session, nowS: number): boolean => nowS - it.seen >= limitsOf(it).noteS
