/** The caller of a request: a person with roles, or a program. Absent while identity is off. */
import type { Context } from 'hono'
import type { AuthContext } from '../../streams/envelope.ts'
import { Problem } from '../http/problem.ts'

export const roles = ['customer', 'stock-manager', 'purchaser', 'operator', 'service'] as const
export type Role = (typeof roles)[number]

export type Caller = {
  /** By CloudEvents' auth-context extension: a person, or a program. */
  authtype: 'app_user' | 'service_account'
  /** The subject of the token, or the name of an API token. */
  authid: string
  /** The person as a customer. */
  userid: string | undefined
  roles: readonly Role[]
  /** When their token is no longer valid, milliseconds since 1970. The token of a program does not end. */
  expiresAt?: number | undefined
}

/**
 * The callers of a route: `anyone`, or those who have one of the roles. A customer's role is for what is their own: a caller
 * who has no other role of the list is limited to that (`ownOf`).
 */
export type Access = 'anyone' | readonly [Role, ...Role[]]

declare module 'hono' {
  interface ContextVariableMap {
    who: Caller
    own: string
  }
}

/** @returns the caller; undefined while identity is off, and for a stranger on a route for anyone. */
export const whoOf = (c: Context): Caller | undefined => c.get('who')

/** @returns the caller as messages name them; undefined while identity is off. */
export function authOf(c: Context): AuthContext | undefined {
  const who = whoOf(c)
  return who && { authtype: who.authtype, authid: who.authid }
}

/** @returns the customer whose data the caller is limited to; undefined if there is no such limit. */
export const ownOf = (c: Context): string | undefined => c.get('own')

/**
 * @param named the customer that the request names, if it names one.
 * @returns the customer that the request is about: of a caller who is limited to their own data, themselves.
 * @throws {Problem} 403 when such a caller names another customer.
 */
export function customerOf(c: Context, named: string): string
export function customerOf(c: Context, named: string | undefined): string | undefined
export function customerOf(c: Context, named: string | undefined): string | undefined {
  const own = ownOf(c)
  if (own === undefined) return named
  if (named !== undefined && named !== own) throw forbidden('Customers act for themselves only.')
  return own
}

/** @returns whether the caller may see what belongs to this customer. */
export function maySee(c: Context, userid: string | null): boolean {
  const own = ownOf(c)
  return own === undefined || own === userid
}

/** @returns whether the caller has one of the roles. While identity is off, every caller has every role. */
export function hasRole(c: Context, ...wanted: Role[]): boolean {
  const who = whoOf(c)
  return who === undefined || wanted.some((role) => who.roles.includes(role))
}

/**
 * @param staff the roles whose callers see everything.
 * @returns the program that sees only what it made itself; undefined for people, and for a program that has a role of staff.
 */
export const ownProgramOf = (c: Context, ...staff: Role[]): string | undefined =>
  ownOf(c) !== undefined || hasRole(c, ...staff) ? undefined : whoOf(c)?.authid

/** @throws {Problem} 403 when the caller has none of the roles. */
export function requireRole(c: Context, detail: string, ...wanted: Role[]): void {
  if (!hasRole(c, ...wanted)) throw forbidden(detail)
}

export const forbidden = (detail: string) => new Problem('forbidden', { detail })
