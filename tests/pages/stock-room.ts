/** People who receive, keep and order copies, with books of their own for each test. */
import type { Page } from 'playwright-core'
import { isbnOf } from '../../web/isbn.ts'
import { reserveAndWait, type Stock, stockOf } from '../harness/acts.ts'
import type { Stage, WindowOptions } from './stage.ts'

let count = 0
export const fresh = (name: string): string => `${name}-r${++count}`

/** Another ISBN each time. */
export function freshIsbn(): string {
  const start = `97911${String(++count).padStart(7, '0')}`
  return Array.from({ length: 10 }, (_, digit) => `${start}${digit}`).find((it) => isbnOf(it))!
}

export class StockRoom {
  readonly #stage: () => Stage

  constructor(stage: () => Stage) {
    this.#stage = stage
  }

  get stock() {
    return this.#stage().system.stock
  }

  windowOf = (role: 'stock-manager' | 'purchaser' | 'customer', options: WindowOptions = {}): Promise<Page> =>
    this.#stage().window({ ...options, as: { userid: 'jun', role } })

  receive = (bookid: string, qty: number, about: object = {}) =>
    this.stock.post('/stocks', { bookid, qty, title: fresh('Title'), ...about })

  reserve = (bookid: string, userid: string) =>
    reserveAndWait(this.#stage().system.reservation, bookid, userid)

  figuresOf = (bookid: string): Promise<Stock> => stockOf(this.#stage().system, bookid)

  order = async (bookid: string, qty: number): Promise<string> =>
    (await this.stock.post<{ purchaseid: string }>('/purchases', { bookid, qty })).body.purchaseid
}

/** As a scanner does, once the page has given a field the focus. */
export async function scan(page: Page, text: string): Promise<void> {
  await page.locator('input:focus').waitFor()
  await page.keyboard.insertText(text)
  await page.keyboard.press('Enter')
}

export const said = (page: Page, text: string | RegExp, options?: { timeout: number }): Promise<void> =>
  page.getByRole('status').filter({ hasText: text }).waitFor(options)

export const focused = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => document.activeElement?.id)
