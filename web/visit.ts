/** One request of a person: who it is, in which language, and the means to answer. */
import type { Context } from 'hono'
import { setCookie } from 'hono/cookie'
import type { z } from 'zod'
import type { Places } from '../platform/http/places.ts'
import type { Apis } from './apis/apis.ts'
import type { Assets } from './assets.ts'
import { type Dates, datesOf } from './dates.ts'
import type { Html } from './html.ts'
import type { Login } from './identity/login.ts'
import { type Frame, layout, type Shown } from './layout.ts'
import { missingOf, type Part } from './part.ts'
import type { Titles } from './titles.ts'
import { chosenWho, type Who } from './who.ts'
import { type Locale, type Words, wordsOf } from './words/words.ts'

/** The part that all visits share. */
export type Site = {
  assets: Assets
  apis: Apis
  titles: Titles
  /** Of the library. */
  timeZone: string
  /** Whether people reach the pages over https alone. */
  secure: boolean
  /** Absent while identity is off. */
  login: Login | undefined
  /** Limits the live pages that are open at a time. */
  streams: Places
}

/** A text of `words.said`: it says what was just done. */
export type Said = keyof Words['said']

/** A link may name any text, also one that every object has, such as `constructor`. */
const saidIn = ({ said }: Words, name = ''): string | undefined =>
  Object.hasOwn(said, name) ? said[name as Said] : undefined

/** The answer of a page. */
export type Reply = Response | Promise<Response>

export type Submitted<Values> =
  | { ok: true; values: Values }
  /** @param faults names of the fields. */
  | { ok: false; faults: string[]; given: Record<string, string> }

const here = 'http://localhost'

/** @returns the URL of a page here; of the first one for anything that a browser could read as another host. */
export function localUrl(path: string): URL {
  const url = URL.parse(path, here)
  // The path of another scheme may be a whole URL, as in `blob:https://…`. Two slashes at the beginning would name another host.
  return url?.origin === here && url.protocol === 'http:' && !url.pathname.startsWith('//')
    ? url
    : new URL(here)
}

/** The browser names it (`Referrer-Policy`). Without it, the first page. */
function pageOfForm({ req }: Context): URL {
  const referer = URL.parse(req.header('referer') ?? '')
  return localUrl(referer ? referer.pathname + referer.search : '/')
}

const yearS = 365 * 86_400

/** Of a page whose content may name a person, or change at any time. */
const pageHeaders = { 'cache-control': 'no-store' }

export class Visit implements Frame {
  readonly c: Context
  readonly site: Site
  readonly locale: Locale
  readonly words: Words
  readonly dates: Dates
  readonly who: Who | undefined

  constructor(site: Site, c: Context) {
    this.c = c
    this.site = site
    this.locale = (c.get('language') as Locale | undefined) ?? 'en'
    this.words = wordsOf[this.locale]
    this.dates = datesOf(this.locale, site.timeZone)
    this.who = site.login ? c.get('person') : chosenWho(c)
    if (c.req.query('lang') === this.locale)
      setCookie(c, 'lang', this.locale, { path: '/', sameSite: 'Lax', secure: site.secure, maxAge: yearS })
  }

  get assets(): Assets {
    return this.site.assets
  }

  get apis(): Apis {
    return this.site.apis
  }

  get hasLogin(): boolean {
    return this.site.login !== undefined
  }

  /** @returns where people say who they are, and come back from to this page. */
  entrance(to: string): string {
    return `${this.hasLogin ? '/login' : '/as'}?to=${encodeURIComponent(to)}`
  }

  /** Of the page. A form that was refused is answered with the page from which it was sent: links lead from there. */
  get path(): string {
    const { method, url } = this.c.req
    const { pathname, search } = method === 'POST' ? pageOfForm(this.c) : new URL(url)
    return pathname + search
  }

  param(name: string): string {
    return this.c.req.param(name)!
  }

  /** @returns undefined when it is absent or blank. */
  query(name: string): string | undefined {
    return this.c.req.query(name)?.trim() || undefined
  }

  /** Whether a form of this page was refused because its key had another effect: the next needs a key of its own. */
  get isAgain(): boolean {
    return this.query('said') === 'again'
  }

  /** Whether htmx asks, and swaps the answer into the page. */
  get isPartial(): boolean {
    return this.c.req.header('hx-request-type') === 'partial'
  }

  /** Reads the form that was sent. Of several values with one name, all are read. */
  async form<Schema extends z.ZodObject>(schema: Schema): Promise<Submitted<z.output<Schema>>> {
    const body = await this.c.req.parseBody({ all: true })
    const parsed = schema.safeParse(body)
    if (parsed.success) return { ok: true, values: parsed.data }
    const faults = [...new Set(parsed.error.issues.map(({ path }) => String(path[0])))]
    const texts = Object.entries(body).filter((it): it is [string, string] => typeof it[1] === 'string')
    return { ok: false, faults, given: Object.fromEntries(texts) }
  }

  /** @returns the names and texts of the form that was sent, with its key. */
  async fields(): Promise<[string, string][]> {
    const body = await this.c.req.parseBody({ all: true })
    return Object.entries(body).flatMap(([name, values]) =>
      [values]
        .flat()
        .filter((it) => typeof it === 'string')
        .map((it): [string, string] => [name, it]),
    )
  }

  /** @param parts those that the page needs; services that did not answer are named at its top. */
  show(
    shown: Omit<Shown, 'said'> & { parts?: Part<unknown>[] },
    status: 200 | 400 | 403 | 404 | 409 | 413 | 422 | 429 | 500 | 503 = 200,
  ) {
    const { parts = [], missing = missingOf(parts), ...rest } = shown
    const said = saidIn(this.words, this.query('said'))
    return this.c.html(layout(this, { ...rest, missing, said }), status, pageHeaders)
  }

  /** Answers htmx with a piece of a page. */
  fragment(piece: Html, status: 200 | 422 | 500 | 503 = 200) {
    return this.c.html(piece, status, pageHeaders)
  }

  /** After a form: the browser reads this page next, so that reloading it sends nothing again. */
  goTo(path: string, said?: Said): Response {
    const url = localUrl(path)
    if (said) url.searchParams.set('said', said)
    return this.c.redirect(url.pathname + url.search + url.hash, 303)
  }
}
