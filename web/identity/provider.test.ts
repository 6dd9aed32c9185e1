/** Providers that answer what they should not. `tests/pages/login.test.ts` has a real one. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { type LoginError, Provider } from './provider.ts'
import type { LoginSettings } from './settings.ts'

type Reply = (response: ServerResponse) => void

/** A provider that logs everyone in as `jun`, and answers single paths as a test wants. */
class LaxProvider implements AsyncDisposable {
  readonly answers = new Map<string, Reply>()
  /** More claims of the ID token. */
  claims: JWTPayload = { roles: ['stock-manager'] }
  nonce = ''
  readonly #keys = generateKeyPair('RS256')
  readonly #server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://x').pathname
    const answer = this.answers.get(path) ?? ((it) => void this.#answer(path, it))
    answer(response)
  })

  async start(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    const { url } = this
    const { privateKey, publicKey } = await this.#keys
    const bodies: Record<string, () => object | Promise<object>> = {
      '/.well-known/openid-configuration': () => ({
        issuer: url,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        userinfo_endpoint: `${url}/userinfo`,
        jwks_uri: `${url}/keys`,
        id_token_signing_alg_values_supported: ['RS256'],
      }),
      '/keys': async () => ({ keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256', use: 'sig' }] }),
      '/token': async () => ({
        access_token: 'access',
        token_type: 'bearer',
        id_token: await new SignJWT({ nonce: this.nonce, ...this.claims })
          .setProtectedHeader({ alg: 'RS256' })
          .setIssuer(url)
          .setAudience('web')
          .setSubject('jun')
          .setIssuedAt()
          .setExpirationTime('5 minutes')
          .sign(privateKey),
      }),
      '/userinfo': () => ({ sub: 'jun', roles: ['stock-manager'] }),
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(await bodies[path]!()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

async function stage() {
  const lax = await new LaxProvider().start()
  const settings = {
    issuer: lax.url,
    clientId: 'web',
    clientSecret: 'a-secret-of-the-client',
    scope: 'openid',
    rolesClaim: 'roles',
    roles: { 'stock-manager': 'stock-manager' },
    useridClaim: 'sub',
    publicUrl: 'http://localhost:8080',
  }
  const pages = new Provider(settings as unknown as LoginSettings)
  return {
    lax,
    /** @returns the person who is logged in, or the reason for a refusal. */
    async logIn(again = false) {
      try {
        const { url, attempt } = await pages.begin('/', again)
        lax.nonce = attempt.nonce
        const person = await pages.finish(`?code=x&state=${attempt.state}`, attempt)
        return { url, userid: person.userid }
      } catch (error) {
        return { reason: (error as LoginError).reason }
      }
    },
    [Symbol.asyncDispose]: () => lax[Symbol.asyncDispose](),
  }
}

const nowS = () => Math.floor(Date.now() / 1_000)

describe('staff whose session is over', () => {
  test('PR4: are logged in if the provider made them log in, and it is asked to', async () => {
    await using it = await stage()
    it.lax.claims.auth_time = nowS()
    const { url, userid } = await it.logIn(true)
    expect(userid).toBe('jun')
    expect(Object.fromEntries(url!.searchParams)).toMatchObject({ prompt: 'login', max_age: '0' })
  })

  test.each([
    ['when they did it before', () => nowS() - 3_600],
    ['when it does not say when', () => undefined],
  ])('PR4: are not logged in by a provider that ignores that, %s', async (_, at) => {
    await using it = await stage()
    it.lax.claims.auth_time = at()
    expect(await it.logIn(true)).toEqual({ reason: 'again' })
    // Without a session that is over, it may.
    expect(await it.logIn()).toMatchObject({ userid: 'jun' })
  })

  test('are the only ones: some providers do not say it, and customers have little to lose', async () => {
    await using it = await stage()
    it.lax.claims.roles = []
    expect(await it.logIn(true)).toMatchObject({ userid: 'jun' })
  })
})

describe('an answer without an end', () => {
  const paths = ['/.well-known/openid-configuration', '/token', '/keys', '/userinfo']
  const slow: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
  }
  /** As fast as it is read. */
  const fast: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const chunk = ' '.repeat(64 * 1_024)
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', more)
    more()
  }

  test.concurrent.each(
    paths.flatMap((path) => [
      { path, speed: 'fast' },
      { path, speed: 'slow' },
    ]),
  )(
    'PR3: from $path, $speed, is read no further, ends the login, and does not harm the next login',
    async ({ path, speed }) => {
      await using it = await stage()
      const { lax } = it
      // Then userinfo is asked.
      delete lax.claims.roles
      const closed = Promise.withResolvers<void>()
      lax.answers.set(path, (response) => {
        response.on('close', () => closed.resolve())
        void (speed === 'fast' ? fast : slow)(response)
      })
      const began = performance.now()
      expect(await it.logIn()).toEqual({ reason: expect.stringMatching(/^(down|refused)$/) })
      await closed.promise
      expect(performance.now() - began).toBeLessThan(speed === 'fast' ? 4_000 : 8_000)
      lax.answers.clear()
      expect(await it.logIn()).toMatchObject({ userid: 'jun' })
    },
  )
})
