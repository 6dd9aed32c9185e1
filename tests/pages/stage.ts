/**
 * The stage of the tests of pages: one real system with its pages, and one browser, for all of them. Each test opens windows of its
 * own. A window fails its test when the Content-Security-Policy is violated, or the page logs an error.
 */
import axe from 'axe-core'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { openBrowser } from '../../deploy/pages/browser.ts'
import { ServiceProcess } from '../harness/service-process.ts'
import { type System, startSystem } from '../harness/system.ts'

/** Patience of the browser for an element or a page: less than that of a test, so that a failure names what it waited for. */
const patienceMs = 25_000

/** Of those who post alerts. */
export const alertToken = 'a-token-of-the-pages'

export type WindowOptions = BrowserContextOptions & {
  /** The choice of the person on `/as`; none by default. */
  as?: { userid: string; role: string }
  /** Console errors that the test causes on purpose, such as a 503. */
  allowed?: RegExp
}

export class Stage {
  readonly system: System
  readonly web: ServiceProcess
  readonly #browser: Browser
  readonly #open: BrowserContext[] = []
  /** Of the test that runs. */
  readonly #faults: string[] = []
  readonly #url: string | undefined

  /** @param url of the pages, if people log in: they come back to it. */
  constructor(system: System, web: ServiceProcess, browser: Browser, url?: string) {
    this.system = system
    this.web = web
    this.#browser = browser
    this.#url = url
  }

  get url(): string {
    return this.#url ?? this.web.url
  }

  /** Opens a window of a new browser, in English unless `locale` says otherwise. Paths are relative to the pages. */
  async window({ as, allowed, ...options }: WindowOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      baseURL: this.url,
      locale: 'en',
      // A color that is changing has no contrast that could be measured.
      reducedMotion: 'reduce',
      ...options,
    })
    this.#open.push(context)
    context.setDefaultTimeout(patienceMs)
    if (as) {
      const value = encodeURIComponent(`${as.role}:${as.userid}`)
      await context.addCookies([{ name: 'as', value, url: this.url }])
    }
    context.on('console', (message) => {
      const text = `${message.text()} (${message.location().url})`
      if (message.type() === 'error' && !allowed?.test(text)) this.#faults.push(text)
    })
    context.on('weberror', (error) => this.#faults.push(error.error().message))
    await context.exposeBinding('violated', (_, text: string) => void this.#faults.push(text))
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        (globalThis as unknown as { violated(text: string): void }).violated(
          `${violatedDirective} forbids ${blockedURI} on ${location.pathname}`,
        ),
      )
    })
    return context.newPage()
  }

  /** @returns the value of a metric of the reservation service. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.system.opsUrl('reservation')}/metrics`)).text()
    return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  }

  /** Closes the windows of a test. @returns what was wrong in them. */
  async clear(): Promise<string[]> {
    await Promise.all(this.#open.splice(0).map((it) => it.close()))
    return this.#faults.splice(0)
  }

  async stop(): Promise<string[]> {
    await this.#browser.close()
    return [...(await this.web.finish()), ...(await this.system.stop())]
  }
}

async function startStage(): Promise<Stage> {
  const system = await startSystem({
    env: {
      RULES: 'library',
      CLOSED_WEEKDAYS: 'none',
      PICKUP_GRACE_MS: '0',
      ACTIVE_MAX: '150',
      ALERT_TOKEN: alertToken,
    },
  })
  const web = new ServiceProcess('web-0', {
    service: 'web',
    runtime: 'node',
    env: {
      RESERVATION_URL: system.reservation.url,
      STOCK_URL: system.stock.url,
      NOTIFIER_URL: system.notifier.url,
    },
  })
  const [browser] = await Promise.all([openBrowser(), web.start()])
  return new Stage(system, web, browser)
}

/** Call it outside of tests, and the returned function inside. */
export function useStage<It extends Stage>(start: () => Promise<It>): () => It
export function useStage(): () => Stage
export function useStage(start: () => Promise<Stage> = startStage): () => Stage {
  let stage: Stage | undefined
  beforeAll(async () => {
    stage = await start()
  }, 60_000)
  afterEach(async ({ task }) => {
    const faults = (await stage?.clear()) ?? []
    if (task.result?.state === 'fail') console.error(stage?.web.tail(), stage?.system.tail())
    expect(faults, 'what the pages logged or their policy forbids').toEqual([])
  })
  afterAll(async () => {
    const faults = (await stage?.stop()) ?? []
    expect(faults, 'processes that did not stop cleanly').toEqual([])
  })
  return () => stage!
}

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** Expects that axe finds nothing on the page: in both schemes, on a phone and on a desk. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source)
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 800 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const found = await page.evaluate(findViolations, tags)
      expect(found, `${page.url()}, ${colorScheme}, ${width} px`).toEqual([])
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow, `${page.url()} is wider than ${width} px`).toBeLessThanOrEqual(0)
  }
}

/** Runs in the page. */
async function findViolations(tags: string[]): Promise<string[]> {
  const { axe } = globalThis as unknown as { axe: typeof import('axe-core') }
  const { violations } = await axe.run({ runOnly: tags, resultTypes: ['violations'] })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((it) => it.html).join(' ')}`)
}
