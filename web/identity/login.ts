/** Logging in and out: the cookies of a browser, and whose session they are. */
import { randomBytes } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { tryGetContext } from 'hono/context-storage'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { addressOf, headerOf } from '../../platform/http/node.ts'
import { type EndedStore, openEndedStore } from '../../platform/identity/ended-store.ts'
import { clientOf, forwardedAddress, kindOf, PersonLimits } from '../../platform/identity/person-limits.ts'
import type { Log } from '../../platform/log.ts'
import type { Credentials } from '../apis/call.ts'
import { toWho } from '../who.ts'
import { EndedSessions } from './ended-sessions.ts'
import { PageTokens } from './page-tokens.ts'
import { type Attempt, type Person, Provider, toAttempt } from './provider.ts'
import { type Purpose, Seal, sealedMax } from './seal.ts'
import { cookieDays, expiryOf, isToBeNoted, type Session, toSession } from './session.ts'
import type { LoginSettings } from './settings.ts'

declare module 'hono' {
  interface ContextVariableMap {
    session: Session
    /** Whether the cookie is that of a session that is over. */
    sessionOver: boolean
  }
}

const attemptS = 600

export class Login {
  readonly provider: Provider
  readonly tokens: PageTokens
  readonly ended: EndedSessions
  readonly #store: EndedStore
  readonly #seal: Seal
  /** Browsers reach the pages over https alone. */
  readonly #secure: boolean
  readonly #hops: number
  readonly #limits = new PersonLimits()

  constructor(settings: LoginSettings, log: Log) {
    this.provider = new Provider(settings)
    this.tokens = new PageTokens(settings)
    this.#store = openEndedStore(settings.databaseUrl)
    this.ended = new EndedSessions({ store: this.#store, log })
    this.#seal = new Seal(settings.sessionKeys)
    this.#secure = settings.publicUrl.startsWith('https:')
    this.#hops = settings.forwardedHops
  }

  /** Finds out who asks, before a page is chosen. */
  readonly recognize: MiddlewareHandler = async (c, next) => {
    const sealed = this.#read(c, 'session')
    if (sealed !== undefined) await this.#recognize(c, sealed)
    await next()
  }

  async #recognize(c: Context, sealed: string): Promise<void> {
    const opened = await this.#seal.open('session', sealed, new Date())
    const session = opened.type === 'valid' ? toSession(opened.payload) : undefined
    if (session === undefined || (await this.ended.isEnded(session))) c.set('sessionOver', true)
    else {
      c.set('session', session)
      c.set('person', toWho(session))
    }
  }

  /** Whether the session that a page was opened with goes on. */
  async goesOn({ var: { session } }: Context): Promise<boolean> {
    if (session === undefined) return false
    return expiryOf(session) > Date.now() / 1_000 && !(await this.ended.isEnded(session))
  }

  /**
   * Counts a request of a page, as the services count the calls: staff have no limit. The pages ask as themselves for data
   * that everyone may see, without a limit there.
   * @throws {Problem} 429
   */
  limit(c: Context): void {
    const { session } = c.var
    if (session?.roles.some((role) => role !== 'customer')) return
    const client = () => clientOf(headerOf(c, 'x-forwarded-for'), this.#hops, addressOf(c))
    this.#limits.take(session?.userid ?? `from ${client()}`, kindOf(c))
  }

  /** Remembers that the person is still there. Not for what a page does by itself. */
  async note(c: Context): Promise<void> {
    const nowS = Date.now() / 1_000
    const { session } = c.var
    if (session !== undefined && isToBeNoted(session, nowS)) await this.#write(c, { ...session, seen: nowS })
  }

  /** Begins a session with an id of its own, whatever the browser had before. */
  async begin(c: Context, person: Person): Promise<void> {
    const { session } = c.var
    if (session !== undefined) await this.ended.end(session)
    const nowS = Date.now() / 1_000
    const sid = randomBytes(32).toString('base64url')
    await this.#write(c, { ...person, sid, begun: nowS, seen: nowS })
  }

  async end(c: Context): Promise<void> {
    const { session } = c.var
    if (session !== undefined) await this.ended.end(session)
    this.#drop(c, 'session')
  }

  async keepAttempt(c: Context, attempt: Attempt): Promise<void> {
    const sealed = await this.#seal.close('login', attempt, Math.floor(Date.now() / 1_000) + attemptS)
    this.#set(c, 'login', sealed, attemptS)
  }

  /** @returns it once. */
  async takeAttempt(c: Context): Promise<Attempt | undefined> {
    const sealed = this.#read(c, 'login')
    if (sealed === undefined) return undefined
    this.#drop(c, 'login')
    const opened = await this.#seal.open('login', sealed, new Date())
    return opened.type === 'valid' ? toAttempt(opened.payload) : undefined
  }

  /** Of the calls that a page makes: for the person who asks, with their address, or for the pages themselves. */
  readonly credentials: Credentials = (operation) => {
    if (operation.forEveryone) return headersOf(this.tokens.own())
    const c = tryGetContext()
    const session = c?.var.session as Session | undefined
    return c && session && headersOf(this.tokens.of(session), this.#addressOf(c))
  }

  #addressOf(c: Context): string {
    return forwardedAddress(headerOf(c, 'x-forwarded-for'), this.#hops, addressOf(c))
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #write(c: Context, session: Session): Promise<void> {
    const close = (it: Session) => this.#seal.close('session', it, expiryOf(session))
    const sealed = await close(session)
    const { hint: _, ...short } = session
    this.#set(c, 'session', sealed.length <= sealedMax ? sealed : await close(short), cookieDays * 86_400)
  }

  /** `__Host-`: no other host and no plain connection can set it. */
  #set(c: Context, name: Purpose, value: string, maxAge: number): void {
    const options = { path: '/', httpOnly: true, sameSite: 'Lax', maxAge } as const
    if (this.#secure) setCookie(c, name, value, { ...options, secure: true, prefix: 'host' })
    else setCookie(c, name, value, options)
  }

  #read(c: Context, name: Purpose): string | undefined {
    return this.#secure ? getCookie(c, name, 'host') : getCookie(c, name)
  }

  #drop(c: Context, name: Purpose): void {
    if (this.#secure) deleteCookie(c, name, { path: '/', secure: true, prefix: 'host' })
    else deleteCookie(c, name, { path: '/' })
  }
}

/** The address is for the record of who did what (`FORWARDED_HOPS` of the services). */
const headersOf = async (token: Promise<string>, address?: string): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await token}`,
  ...(address !== undefined && { 'x-forwarded-for': address }),
})
