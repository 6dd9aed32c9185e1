/** The tokens with which the pages call the services, each for one person. They are valid for five minutes. */
import { SignJWT } from 'jose'
import type { Session } from './session.ts'
import type { LoginSettings } from './settings.ts'
import { signingAlgorithm } from './signing-keys.ts'

/** Seconds. */
const validS = 300
/** A token that is older is replaced, so that none expires on its way. */
const renewedAfterS = 240
/** About 600 bytes each. */
const keptMax = 10_000

/** The name of the pages in what the services record. */
const ownName = 'web'

type Claims = { sub: string; userid?: string; roles: readonly string[] }
type Kept = { token: Promise<string>; renewAt: number }

export class PageTokens {
  readonly #settings: Pick<LoginSettings, 'tokenIssuer' | 'tokenAudience' | 'tokenKeys'>
  readonly #now: () => number
  readonly #kept = new Map<string, Kept>()

  constructor(settings: Pick<LoginSettings, 'tokenIssuer' | 'tokenAudience' | 'tokenKeys'>, now = Date.now) {
    this.#settings = settings
    this.#now = now
  }

  of({ sid, sub, userid, roles }: Session): Promise<string> {
    return this.#keep(sid, { sub, userid, roles })
  }

  /** For what the pages read for everyone. */
  own(): Promise<string> {
    return this.#keep(ownName, { sub: ownName, roles: ['service'] })
  }

  /** The public keys, for the services. */
  get jwks(): { keys: object[] } {
    return { keys: this.#settings.tokenKeys.map((it) => it.publicJwk) }
  }

  #keep(name: string, claims: Claims): Promise<string> {
    const nowS = Math.floor(this.#now() / 1_000)
    const known = this.#kept.get(name)
    if (known && nowS < known.renewAt) return known.token
    const token = this.#sign(claims, nowS)
    this.#kept.delete(name)
    this.#kept.set(name, { token, renewAt: nowS + renewedAfterS })
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value!)
    return token
  }

  #sign({ sub, ...claims }: Claims, nowS: number): Promise<string> {
    const { tokenIssuer, tokenAudience, tokenKeys } = this.#settings
    const { kid, privateKey } = tokenKeys[0]!
    return new SignJWT(claims)
      .setProtectedHeader({ alg: signingAlgorithm, kid })
      .setIssuer(tokenIssuer)
      .setAudience(tokenAudience)
      .setSubject(sub)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + validS)
      .sign(privateKey)
  }
}
