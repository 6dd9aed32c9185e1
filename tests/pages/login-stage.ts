/** The stage of the tests of logging in: a system with identity on, its pages, a real provider with four people, and a browser. */
import { generateKeyPairSync, hash, randomBytes } from 'node:crypto'
import type { Page } from 'playwright-core'
import { type LocalProvider, startProvider } from '../../deploy/local/identity/start-provider.ts'
import { freePort } from '../../deploy/local/processes/free-port.ts'
import { openBrowser } from '../../deploy/pages/browser.ts'
import { PageTokens } from '../../web/identity/page-tokens.ts'
import { Seal } from '../../web/identity/seal.ts'
import type { Session } from '../../web/identity/session.ts'
import { signingKeys } from '../../web/identity/signing-keys.ts'
import { ServiceProcess } from '../harness/service-process.ts'
import { startSystem } from '../harness/system.ts'
import { Stage, type WindowOptions } from './stage.ts'

const programToken = randomBytes(24).toString('base64url')
export const asProgram = { headers: { authorization: `Bearer ${programToken}` } }

const freshKey = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))

export class LoginStage extends Stage {
  #provider!: LocalProvider
  #startProvider!: () => Promise<LocalProvider>
  /** The settings of the pages, which a test may change before it starts them again. */
  env!: Record<string, string>

  static async start(): Promise<LoginStage> {
    const port = await freePort()
    const publicUrl = `http://localhost:${port}`
    const clientSecret = randomBytes(24).toString('base64url')
    const begin = (last?: LocalProvider) =>
      startProvider({ port: 0, clientSecret, pagesUrl: publicUrl }, last)
    let databaseUrl = ''
    const [provider, system, browser] = await Promise.all([
      begin(),
      startSystem({
        env: {
          IDENTITY: 'on',
          FORWARDED_HOPS: '1',
          TOKEN_ISSUER: publicUrl,
          TOKEN_JWKS_URL: `${publicUrl}/.well-known/jwks.json`,
          API_TOKENS: `program:stock-manager:${hash('sha256', programToken)}`,
          RULES: 'library',
          CLOSED_WEEKDAYS: 'none',
        },
        envOf(_service, _index, env) {
          databaseUrl = env.DATABASE_URL!
          return {}
        },
      }),
      openBrowser(),
    ])
    const env: Record<string, string> = {
      RESERVATION_URL: system.reservation.url,
      STOCK_URL: system.stock.url,
      NOTIFIER_URL: system.notifier.url,
      IDENTITY: 'on',
      FORWARDED_HOPS: '1',
      PUBLIC_URL: publicUrl,
      DATABASE_URL: databaseUrl,
      OIDC_ISSUER: provider.url,
      OIDC_CLIENT_ID: 'web',
      OIDC_CLIENT_SECRET: clientSecret,
      OIDC_ROLES: 'stock-manager=stock-manager,purchaser=purchaser,operator=operator',
      TOKEN_KEY: freshKey(),
      SESSION_KEY: randomBytes(32).toString('hex'),
    }
    const web = new ServiceProcess('web-0', { service: 'web', runtime: 'node', env, port })
    const stage = new LoginStage(system, web, browser, publicUrl)
    stage.env = env
    stage.#provider = provider
    stage.#startProvider = () => begin(provider)
    await web.start()
    return stage
  }

  get provider(): LocalProvider {
    return this.#provider
  }

  /** Opens a window, and logs the person in. */
  async logIn(userid: string, options: WindowOptions = {}): Promise<Page> {
    const page = await this.window(options)
    await page.goto('/login')
    await this.choose(page, userid)
    await page.waitForURL(`${this.url}/`)
    return page
  }

  /** At the provider. */
  async choose(page: Page, userid: string): Promise<void> {
    await page.getByRole('button', { name: userid, exact: true }).click()
  }

  /** A cookie as the pages would have made it. */
  async forged(some: Partial<Session>, key = this.env.SESSION_KEY!): Promise<string> {
    const nowS = Date.now() / 1_000
    const session = {
      sid: randomBytes(32).toString('base64url'),
      sub: 'mina',
      userid: 'mina',
      roles: ['customer'],
      begun: nowS,
      seen: nowS,
    }
    const seal = new Seal([new Uint8Array(hash('sha256', key, 'buffer'))])
    return await seal.close('session', { ...session, ...some }, Math.floor((some.seen ?? nowS) + 1_800))
  }

  /** A token as the pages would have made it. */
  async tokenOf(userid: string): Promise<string> {
    const { PUBLIC_URL, TOKEN_KEY } = this.env
    const tokenKeys = signingKeys().parse(TOKEN_KEY)
    const tokens = new PageTokens({ tokenIssuer: PUBLIC_URL!, tokenAudience: 'bookreservation', tokenKeys })
    return await tokens.of({
      sid: userid,
      sub: userid,
      userid,
      roles: ['customer'],
      begun: 0,
      seen: 0,
    })
  }

  /** @returns what the pages answer to this cookie. */
  get(path: string, cookie: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, {
      redirect: 'manual',
      ...init,
      headers: { 'accept-language': 'en', ...init.headers, cookie },
    })
  }

  async stopProvider(): Promise<void> {
    await this.#provider.stop()
  }

  async startProviderAgain(): Promise<void> {
    this.#provider = await this.#startProvider()
  }

  /** Publishes a new key beside the old ones, signs with it, and starts the pages again. */
  async rotateKeys(): Promise<void> {
    this.env.TOKEN_KEY = `[${freshKey()},${this.env.TOKEN_KEY!.replace(/^\[|\]$/g, '')}]`
    await this.web.stop()
    await this.web.start()
  }

  override async stop(): Promise<string[]> {
    const faults = await super.stop()
    await this.#provider.stop()
    return faults
  }
}
