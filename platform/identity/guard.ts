/**
 * The one place that decides whether a request may reach its route. It verifies before the input is read, so that a stranger
 * learns nothing about it.
 *
 * GU1. A route names its callers (`access`). A caller without a token is refused with 401, one without a fitting role with 403.
 * GU2. A caller who has only the role of a customer is limited to their own data (`ownOf`), and in the number of requests.
 * GU3. While identity is off there is no guard, and requests cost nothing more.
 * GU4. A token that is not valid counts against the limit of its address. Once that is reached, tokens of the address that are not
 *      remembered are verified at a limited rate, `suspectsPerSecond` of all such addresses. So a flood of forged tokens
 *      costs little, and keeps no valid token of the same address away for long; remembered ones notice nothing.
 */
import type { Context } from 'hono'
import { TokenBucket } from 'limiter'
import { addressOf, authorizationOf, headerOf } from '../http/node.ts'
import { Problem } from '../http/problem.ts'
import type { Access, Caller, Role } from './caller.ts'
import { forbidden, whoOf } from './caller.ts'
import { clientOf, kindOf, PersonLimits } from './person-limits.ts'
import { invalid, type Tokens } from './tokens.ts'

/** Admits a request or throws. Returns a promise only if the token must be verified first. */
export type Admit = (c: Context) => undefined | Promise<void>

type GuardOptions = {
  tokens: Pick<Tokens, 'verify'>
  forwardedHops: number
  limits?: PersonLimits
}

const tokenLengthMax = 4_096
/** Each costs 0.2 ms of CPU. */
export const suspectsPerSecond = 100
const bearer = /^bearer +([\w.~+/-]+=*)$/i

export class Guard {
  readonly #tokens: Pick<Tokens, 'verify'>
  readonly #hops: number
  readonly #limits: PersonLimits
  readonly #suspects = new TokenBucket({
    bucketSize: suspectsPerSecond,
    tokensPerInterval: suspectsPerSecond,
    interval: 'second',
  })

  constructor({ tokens, forwardedHops, limits = new PersonLimits() }: GuardOptions) {
    this.#tokens = tokens
    this.#hops = forwardedHops
    this.#limits = limits
    this.#suspects.content = suspectsPerSecond
  }

  /** @param access of the route. */
  admitting(access: Access): Admit {
    if (access === 'anyone') return (c) => this.#admitAnyone(c)
    const others = access.filter((role) => role !== 'customer')
    return (c) => {
      const token = tokenOf(c)
      if (token === undefined) throw missing()
      const caller = this.#verify(c, token)
      if (caller instanceof Promise)
        return caller.then(
          (it) => this.#admit(c, access, others, it),
          (error) => this.#refuse(c, error),
        )
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

  #verify(c: Context, token: string): Caller | Promise<Caller> {
    return this.#tokens.verify(token, () => {
      if (!this.#limits.isReached(this.#senderOf(c), kindOf(c))) return
      if (!this.#suspects.tryRemoveTokens(1)) throw tooManyForged()
    })
  }

  #refuse(c: Context, error: unknown): never {
    if (error instanceof Problem && error.status === 401) this.#limits.take(this.#senderOf(c), kindOf(c))
    throw error
  }

  #senderOf(c: Context): string {
    return `from ${clientOf(headerOf(c, 'x-forwarded-for'), this.#hops, addressOf(c))}`
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
      return token === undefined ? undefined : this.#verify(c, token)
    } catch (error) {
      if (error instanceof Problem) return undefined
      throw error
    }
  }

  #limitOpen(c: Context, caller: Caller | undefined): void {
    if (caller?.roles.some((role) => role !== 'customer')) return
    this.#limits.take(caller?.userid ?? this.#senderOf(c), kindOf(c))
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

const tooManyForged = () =>
  new Problem('too-many-requests', {
    detail: 'Too many tokens of this address were not valid.',
    headers: { 'retry-after': '1' },
  })

const missing = () =>
  new Problem('unauthorized', {
    detail: 'This needs a bearer token.',
    headers: { 'www-authenticate': 'Bearer' },
  })
