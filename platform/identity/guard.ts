/**
 * The one place that decides whether a request may reach its route. It verifies before the input is read, so that a stranger
 * learns nothing about it.
 *
 * GU1. A route names its callers (`access`). A caller without a token is refused with 401, one without a fitting role with 403.
 * GU2. A caller who has only the role of a customer is limited to their own data (`ownOf`), and in the number of requests.
 * GU3. While identity is off there is no guard, and requests cost nothing more.
 */
import type { Context } from 'hono'
import { addressOf, authorizationOf, headerOf } from '../http/node.ts'
import { Problem } from '../http/problem.ts'
import type { Access, Caller, Role } from './caller.ts'
import { forbidden, whoOf } from './caller.ts'
import { clientOf, kindOf, PersonLimits } from './person-limits.ts'
import { invalid, type Tokens } from './tokens.ts'

/** Admits a request or throws. Returns a promise only if the token must be verified first. */
export type Admit = (c: Context) => undefined | Promise<void>

export type GuardOptions = {
  tokens: Pick<Tokens, 'verify'>
  forwardedHops: number
  limits?: PersonLimits
}

const tokenLengthMax = 4_096
const bearer = /^bearer +([\w.~+/-]+=*)$/i

export class Guard {
  readonly #tokens: Pick<Tokens, 'verify'>
  readonly #hops: number
  readonly #limits: PersonLimits

  constructor({ tokens, forwardedHops, limits = new PersonLimits() }: GuardOptions) {
    this.#tokens = tokens
    this.#hops = forwardedHops
    this.#limits = limits
  }

  /** @param access of the route. */
  admitting(access: Access): Admit {
    if (access === 'anyone') return (c) => this.#admitAnyone(c)
    const others = access.filter((role) => role !== 'customer')
    return (c) => {
      const token = tokenOf(c)
      if (token === undefined) throw missing()
      const caller = this.#tokens.verify(token)
      if (caller instanceof Promise) return caller.then((it) => this.#admit(c, access, others, it))
      this.#admit(c, access, others, caller)
    }
  }

  #admit(c: Context, access: readonly Role[], others: readonly Role[], caller: Caller): void {
    if (!hasAny(caller, access)) throw forbidden(`This needs one of the roles ${access.join(', ')}.`)
    c.set('who', caller)
    if (hasAny(caller, others)) return
    c.set('own', caller.userid!)
    this.#limits.take(caller.userid!, kindOf(c))
  }

  /** A token that is not valid counts as none: what is open to anyone needs no issuer. */
  #admitAnyone(c: Context): undefined | Promise<void> {
    // A credential of the route's own has let the caller in already.
    if (whoOf(c)) return
    const caller = this.#callerIfAny(c)
    if (caller instanceof Promise)
      return caller.then(
        (it) => this.#limitOpen(c, it),
        () => this.#limitOpen(c, undefined),
      )
    this.#limitOpen(c, caller)
  }

  #callerIfAny(c: Context): Caller | undefined | Promise<Caller> {
    try {
      const token = tokenOf(c)
      return token === undefined ? undefined : this.#tokens.verify(token)
    } catch (error) {
      if (error instanceof Problem) return undefined
      throw error
    }
  }

  #limitOpen(c: Context, caller: Caller | undefined): void {
    if (caller?.roles.some((role) => role !== 'customer')) return
    const person =
      caller?.userid ?? `from ${clientOf(headerOf(c, 'x-forwarded-for'), this.#hops, addressOf(c))}`
    this.#limits.take(person, kindOf(c))
  }
}

const hasAny = (caller: Caller, wanted: readonly Role[]) => caller.roles.some((role) => wanted.includes(role))

/** @throws {Problem} 401 when the header is not one bearer token. */
function tokenOf(c: Context): string | undefined {
  const header = authorizationOf(c)
  if (header === undefined) return undefined
  if (header.length > tokenLengthMax) throw invalid('It is longer than 4,096 characters.')
  const token = bearer.exec(header)?.[1]
  if (token === undefined) throw invalid('Send one Authorization header, with one bearer token.')
  return token
}

const missing = () =>
  new Problem('unauthorized', {
    detail: 'This needs a bearer token.',
    headers: { 'www-authenticate': 'Bearer' },
  })
