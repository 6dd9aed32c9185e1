/**
 * Verifies tokens: JWTs of configured issuers, and API tokens.
 *
 * TV1. A token is verified once and remembered by its SHA-256, until it expires or its key may have been removed (`keptMs`). So in
 *      a rush a request costs a hash, and requests with known tokens need no issuer.
 * TV2. The algorithms are those of public keys. A token cannot choose another, and no key is a shared secret.
 */
import { hash } from 'node:crypto'
import { decodeJwt, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { Problem } from '../http/problem.ts'
import { type ApiToken, findApiToken } from './api-tokens.ts'
import { type Caller, type Role, roles } from './caller.ts'
import type { KeyStore } from './key-store.ts'
import { type Keys, type KeysLog, keptMs, keysAt } from './keys.ts'

export type Issuer = {
  /** Its `iss`. */
  name: string
  keysUrl: string
}

export type TokensOptions = {
  issuers: readonly Issuer[]
  audience: string
  apiTokens: readonly ApiToken[]
  /** How many tokens are remembered, about 300 bytes each. The oldest is forgotten first, and verified again when it comes. */
  rememberedMax?: number
  /** Milliseconds since 1970. */
  now?(): number
  /** Keeps the keys of issuers for the next process. */
  keyStore?: KeyStore | undefined
  log?: KeysLog | undefined
  keysOf?(issuer: Issuer): Keys
}

const algorithms = ['EdDSA', 'ES256', 'RS256']
/** By how much the clocks of issuer and service may differ, seconds. */
const toleranceS = 5

type Remembered = { caller: Caller; until: number }

export class Tokens {
  readonly #options: TokensOptions
  readonly #keys: Map<string, Keys>
  readonly #now: () => number
  readonly #remembered = new Map<string, Remembered>()

  constructor(options: TokensOptions) {
    const { issuers, keyStore: store, log, now = Date.now } = options
    const { keysOf = (it) => keysAt(it.keysUrl, { store, log }) } = options
    this.#options = options
    this.#now = now
    this.#keys = new Map(issuers.map((it) => [it.name, keysOf(it)]))
  }

  /** Reads the keys of all issuers, so that the first token does not depend on them. Never rejects. */
  async readKeys(): Promise<void> {
    await Promise.all([...this.#keys.values()].map((it) => it.read?.()))
  }

  /**
   * @param before called before a token that is not remembered is verified. It may throw.
   * @returns the caller, at once if the token is remembered.
   * @throws {Problem} 401 when the token is not valid, 503 when that cannot be found out. It may also reject with these.
   */
  verify(token: string, before?: () => void): Caller | Promise<Caller> {
    const key = hash('sha256', token, 'base64')
    const known = this.#remembered.get(key)
    if (known !== undefined && this.#now() < known.until) return known.caller
    const program = findApiToken(this.#options.apiTokens, Buffer.from(key, 'base64'))
    if (program !== undefined) return program
    before?.()
    return this.#verifyJwt(token, key)
  }

  async #verifyJwt(token: string, key: string): Promise<Caller> {
    const { audience } = this.#options
    try {
      const issuer = decodeJwt(token).iss
      const keys = issuer === undefined ? undefined : this.#keys.get(issuer)
      if (!keys) throw invalid('Its issuer is not known here.')
      const { payload } = await jwtVerify(token, keys, {
        issuer: issuer!,
        audience,
        algorithms,
        clockTolerance: toleranceS,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#now()),
      })
      const expiresAt = (payload.exp! + toleranceS) * 1_000
      const caller = { ...callerOf(payload), expiresAt }
      this.#remember(key, { caller, until: Math.min(expiresAt, this.#now() + keptMs) })
      return caller
    } catch (error) {
      throw error instanceof errors.JOSEError ? invalid(faultOf(error), error) : error
    }
  }

  #remember(key: string, it: Remembered): void {
    this.#remembered.delete(key)
    this.#remembered.set(key, it)
    if (this.#remembered.size <= (this.#options.rememberedMax ?? 10_000)) return
    const [oldest] = this.#remembered.keys()
    this.#remembered.delete(oldest!)
  }
}

/** As ids of customers: printable ASCII without spaces, other than `.` and `..`. */
const id = z
  .string()
  .max(128)
  .regex(/^(?!\.\.?$)[\x21-\x7e]+$/)
const claims = z.object({
  sub: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[\x20-\x7e]+$/),
  userid: id.optional(),
  roles: z.array(z.string()).max(100).optional(),
})

/** Roles that are not known here are left out. A person without any is a customer. */
function callerOf(payload: unknown): Caller {
  const { success, data } = claims.safeParse(payload)
  if (!success) throw invalid('Its claims sub, userid or roles have a form that is not accepted here.')
  const known = roles.filter((role) => data.roles?.includes(role))
  const granted: readonly Role[] = known.length > 0 ? known : ['customer']
  const userid = data.userid ?? (id.safeParse(data.sub).success ? data.sub : undefined)
  if (userid === undefined && granted.includes('customer')) throw invalid('It names no customer.')
  return {
    authtype: granted.includes('service') ? 'service_account' : 'app_user',
    authid: data.sub,
    userid,
    roles: granted,
  }
}

/** Says why, without a word of the token. */
function faultOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'It has expired.'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `Its claim ${error.claim} is not accepted here.`
  if (error instanceof errors.JOSEAlgNotAllowed) return 'Its algorithm is not accepted here.'
  if (error instanceof errors.JWKSNoMatchingKey) return 'Its key is not known.'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'Its signature does not fit.'
  return 'It is neither a JWT nor the token of a program that is known here.'
}

/** RFC 6750, 3.1. */
export const invalid = (detail: string, cause?: unknown) =>
  new Problem('unauthorized', {
    detail: `The token is not valid. ${detail}`,
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    cause,
  })
