/** An issuer for tests: it signs tokens, and serves its public keys over HTTP. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export const audience = 'bookreservation'
export const issuerName = 'https://issuer.test'

export type Claims = Record<string, unknown> & { sub?: string; userid?: string; roles?: string[] }
export type Signing = {
  alg?: string
  aud?: string
  iss?: string
  /** Seconds from now. */
  expiresIn?: number
}

type Key = { kid: string; alg: string; privateKey: CryptoKey; jwk: JWK }

export class TestIssuer implements AsyncDisposable {
  /** Those that are served. */
  readonly keys: Key[] = []
  /** How often the keys were read. */
  reads = 0
  /** Answers instead of the keys. */
  answer: ((response: ServerResponse) => void) | undefined
  readonly #server = createServer((_request, response) => {
    this.reads += 1
    if (this.answer) this.answer(response)
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.jwks))
  })

  static async start(...algorithms: string[]): Promise<TestIssuer> {
    const issuer = new TestIssuer()
    for (const alg of algorithms.length > 0 ? algorithms : ['EdDSA']) await issuer.addKey(alg)
    await once(issuer.#server.listen(0, '127.0.0.1'), 'listening')
    return issuer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks.json`
  }

  get jwks(): { keys: JWK[] } {
    return { keys: this.keys.map((it) => it.jwk) }
  }

  /** Settings of a service that trusts it. */
  get settings() {
    return { IDENTITY: 'on', TOKEN_ISSUER: issuerName, TOKEN_JWKS_URL: this.url }
  }

  async addKey(alg = 'EdDSA'): Promise<Key> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const kid = crypto.randomUUID()
    const key = { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
    this.keys.push(key)
    return key
  }

  /** Signs with the newest key, or the newest of an algorithm. */
  async token(
    claims: Claims,
    { alg, aud = audience, iss = issuerName, expiresIn = 300 }: Signing = {},
  ): Promise<string> {
    const key = this.keys.findLast((it) => alg === undefined || it.alg === alg)!
    const now = Math.floor(Date.now() / 1_000)
    return await new SignJWT({ sub: claims.userid ?? 'someone', ...claims })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .setIssuer(iss)
      .setAudience(aud)
      .setIssuedAt(now)
      .setExpirationTime(now + expiresIn)
      .sign(key.privateKey)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
