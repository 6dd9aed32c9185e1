/** The callers of a campaign with identity: an issuer that the services trust, and a token for each customer and for staff. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TestIssuer } from '../../platform/identity/testing.ts'
import { type Asked, staffKinds } from './history.ts'

/** Longer than any run. */
const expiresIn = 86_400

export class Callers implements AsyncDisposable {
  readonly #issuer: TestIssuer
  readonly #keysUrl: string
  readonly #headers = new Map<string, Promise<Record<string, string>>>()

  private constructor(issuer: TestIssuer, keysUrl: string) {
    this.#issuer = issuer
    this.#keysUrl = keysUrl
  }

  /** @param dir for the public keys: services read them from a file, so that this process cannot keep them waiting. */
  static async start(dir: string): Promise<Callers> {
    const issuer = await TestIssuer.start()
    const file = join(dir, 'jwks.json')
    await writeFile(file, JSON.stringify(issuer.jwks))
    return new Callers(issuer, pathToFileURL(file).href)
  }

  /** Settings of the services. */
  get settings(): Record<string, string> {
    return { ...this.#issuer.settings, TOKEN_JWKS_URL: this.#keysUrl }
  }

  /** Staff are people. Customers call through a program, which has no limit of requests. */
  headersOf({ kind, userid }: Pick<Asked, 'kind' | 'userid'>): Promise<Record<string, string>> {
    const isStaff = staffKinds.has(kind) || ['look at a hold', 'block', 'unblock'].includes(kind)
    return isStaff
      ? this.#headersFor('staff', ['stock-manager', 'purchaser'])
      : this.#headersFor(userid ?? 'reader', ['stock-manager', 'service'])
  }

  /** For what only the customer may do. */
  headersOfCustomer(userid: string): Promise<Record<string, string>> {
    return this.#headersFor(userid, ['customer'])
  }

  #headersFor(userid: string, roles: string[]): Promise<Record<string, string>> {
    const key = `${userid} ${roles}`
    const known = this.#headers.get(key)
    if (known) return known
    const signed = this.#issuer
      .token({ userid, roles }, { expiresIn })
      .then((token) => ({ authorization: `Bearer ${token}` }))
    this.#headers.set(key, signed)
    return signed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#issuer[Symbol.asyncDispose]()
  }
}
