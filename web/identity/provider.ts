/**
 * The OpenID provider that people log in at: authorization code with PKCE, state and nonce.
 *
 * PR1. Its discovery document is read at the first login, and again after it could not be read. A provider that is down stops logins
 *      and nothing else.
 * PR2. The state, nonce and verifier of a login are in a cookie of this browser, which is used once. So neither a code
 *      that was replayed nor one of another browser logs anyone in.
 * PR3. Each answer of the provider is read up to `answerBytesMax`, and for `answerS`.
 * PR4. Staff whose session is over must log in again at the provider (`auth_time`), which may ignore that it was asked to make them.
 */
import * as client from 'openid-client'
import { z } from 'zod'
import { readWithin } from '../../platform/http/answer.ts'
import { idSchema } from '../ids.ts'
import { type Role, roles } from '../who.ts'
import { isStaff, type Session } from './session.ts'
import type { LoginSettings } from './settings.ts'

/** A login that has begun, as the browser keeps it until it comes back from the provider. */
const attemptSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** The page that the person came from. */
  to: z.string(),
  /** When it began, seconds since 1970, if the person must log in again. */
  againAt: z.number().optional(),
})
export type Attempt = z.output<typeof attemptSchema>
export const toAttempt = (payload: unknown): Attempt | undefined => attemptSchema.safeParse(payload).data

export type Person = Pick<Session, 'sub' | 'userid' | 'roles'> & { hint: string | undefined }

type Reason = 'down' | 'refused' | 'userid' | 'again'

/**
 * @param reason `down`: the provider cannot be reached. `refused`: the login failed. `userid`: it gives none that fits. `again`: it did
 *   not make the person log in again.
 */
export class LoginError extends Error {
  override name = 'LoginError'
  readonly reason: Reason
  constructor(reason: Reason, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

/** Seconds. */
const answerS = 5
/** Keys and claims have some thousand bytes. */
const answerBytesMax = 256 * 1_024
/** By how much the clocks of the provider and the pages may differ, seconds. */
const toleranceS = 30

export class Provider {
  readonly #settings: LoginSettings
  #discovering: Promise<client.Configuration> | undefined

  constructor(settings: LoginSettings) {
    this.#settings = settings
  }

  get origin(): string {
    return new URL(this.#settings.issuer).origin
  }

  get callbackUrl(): string {
    return `${this.#settings.publicUrl}/callback`
  }

  /** @param again whether the person must prove who they are, even if the provider knows them. @throws {LoginError} */
  async begin(to: string, again: boolean): Promise<{ url: URL; attempt: Attempt }> {
    const config = await this.#discover()
    const attempt = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      to,
      ...(again && { againAt: Math.floor(Date.now() / 1_000) }),
    }
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: this.callbackUrl,
      scope: this.#settings.scope,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
      // With `max_age`, the ID token must say when they logged in.
      ...(again && { prompt: 'login', max_age: '0' }),
    })
    return { url, attempt }
  }

  /** @param search the query with which the provider sent the browser back. @throws {LoginError} */
  async finish(search: string, { state, nonce, verifier, againAt }: Attempt): Promise<Person> {
    const config = await this.#discover()
    try {
      const tokens = await client.authorizationCodeGrant(config, new URL(this.callbackUrl + search), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      const idClaims = tokens.claims()!
      const claims = this.#isComplete(idClaims)
        ? idClaims
        : { ...(await this.#userInfo(config, tokens.access_token, idClaims.sub)), ...idClaims }
      const person = this.#personOf(idClaims.sub, claims, tokens.id_token)
      if (againAt !== undefined && isStaff(person) && !((idClaims.auth_time ?? 0) >= againAt - toleranceS))
        throw new LoginError('again', `They logged in at ${idClaims.auth_time}, and not since ${againAt}`)
      return person
    } catch (error) {
      throw error instanceof LoginError ? error : toLoginError(error)
    }
  }

  /** @returns where the provider logs a person out too; undefined if it cannot, or is away. */
  async logoutUrl(hint: string | undefined): Promise<URL | undefined> {
    try {
      const config = await this.#discover()
      if (!config.serverMetadata().end_session_endpoint) return undefined
      return client.buildEndSessionUrl(config, {
        post_logout_redirect_uri: `${this.#settings.publicUrl}/logged-out`,
        ...(hint && { id_token_hint: hint }),
      })
    } catch {
      return undefined
    }
  }

  #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings
    const isPlain = issuer.startsWith('http:')
    this.#discovering ??= client
      .discovery(new URL(issuer), clientId, clientSecret, undefined, {
        timeout: answerS,
        [client.customFetch]: limitedFetch,
        // Verifies the signature of the ID token too, although it comes from the provider directly.
        execute: [client.enableNonRepudiationChecks, ...(isPlain ? [client.allowInsecureRequests] : [])],
      })
      .catch((error) => {
        this.#discovering = undefined
        throw new LoginError('down', `Cannot read the discovery document of ${issuer}`, error)
      })
    return this.#discovering
  }

  /** Some providers put claims only into the answer of their userinfo endpoint. */
  #isComplete(claims: object): boolean {
    const { useridClaim, rolesClaim, roles: named } = this.#settings
    const wanted = Object.keys(named).length > 0 ? [useridClaim, rolesClaim] : [useridClaim]
    return wanted.every((it) => valueAt(claims, it) !== undefined)
  }

  async #userInfo(config: client.Configuration, token: string, sub: string): Promise<object> {
    if (!config.serverMetadata().userinfo_endpoint) return {}
    return await client.fetchUserInfo(config, token, sub)
  }

  #personOf(sub: string, claims: object, hint: string | undefined): Person {
    const { useridClaim, rolesClaim, roles: named } = this.#settings
    const userid = idSchema.safeParse(valueAt(claims, useridClaim))
    if (!userid.success) throw new LoginError('userid', `The claim ${useridClaim} is no userid`)
    const given = [valueAt(claims, rolesClaim)].flat().filter((it) => typeof it === 'string')
    const granted = given.flatMap((it) => (Object.hasOwn(named, it) ? [named[it]!] : []))
    return { sub, userid: userid.data, roles: rolesOf(granted), hint }
  }
}

/** In one order, each once. A person without any is a customer. */
function rolesOf(granted: Role[]): Role[] {
  const known = roles.filter((it) => granted.includes(it))
  return known.length > 0 ? known : ['customer']
}

/** The value at a path such as `realm_access.roles`, or with dots in its name, such as `https://library.example/roles`. */
function valueAt(claims: object, path: string): unknown {
  if (Object.hasOwn(claims, path)) return (claims as Record<string, unknown>)[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

const limitedFetch: client.CustomFetch = async (url, options) => {
  const response = await fetch(url, options as RequestInit)
  const body = await readWithin(answerBytesMax, response)
  return new Response(body.byteLength > 0 ? body : null, response)
}

/** `fetch` throws a TypeError when it cannot connect. */
const toLoginError = (error: unknown) =>
  error instanceof TypeError || (error as { code?: unknown }).code === 'OAUTH_TIMEOUT'
    ? new LoginError('down', 'Cannot reach the provider', error)
    : new LoginError('refused', 'The provider or its answer was refused', error)
