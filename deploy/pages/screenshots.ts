/** Takes the pictures of the README. */
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { root } from '../local/root.ts'
import { openBrowser } from './browser.ts'
import { changeHold, cookieOf, type Library, reserve } from './library.ts'

const folder = join(root, 'docs/images')
/** High enough for the whole desk, so that no row is cut. */
const size = { width: 800, height: 780 }

export async function takeScreenshots({ urls, books }: Library): Promise<void> {
  const browser = await openBrowser()
  try {
    // A copy on the hold shelf, and a book whose only copy a reader has.
    const mina = 'mina'
    const { reservationid } = await reserve(urls, books.find((it) => it.copies > 2)!.bookid, mina)
    await changeHold(urls, reservationid, 'Ready')
    const { bookid } = books.find((it) => it.copies === 1)!
    for (const userid of ['jisoo', 'haneul', mina]) await reserve(urls, bookid, userid)
    await take(browser, urls.web, {
      name: 'desk',
      path: `/desk?scan=${mina}`,
      as: cookieOf('stock-manager', 'jun'),
      colorScheme: 'light',
    })
    await take(browser, urls.web, {
      name: 'mine',
      path: '/me',
      as: cookieOf('customer', mina),
      colorScheme: 'dark',
    })
  } finally {
    await browser.close()
  }
}

type Picture = { name: string; path: string; as: string; colorScheme: 'light' | 'dark' }

async function take(browser: Browser, url: string, { name, path, as, colorScheme }: Picture): Promise<void> {
  const context = await browser.newContext({
    baseURL: url,
    colorScheme,
    locale: 'en',
    viewport: size,
    reducedMotion: 'reduce',
  })
  await context.addCookies([{ name: 'as', value: as, url }])
  const page: Page = await context.newPage()
  await page.goto(path)
  const file = join(folder, `${name}.png`)
  await page.screenshot({ path: file, fullPage: true })
  console.log(file)
  await context.close()
}
