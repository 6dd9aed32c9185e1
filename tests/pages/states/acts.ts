/** Acts of a person on a page. Each returns when its effect is there. */
import type { Page } from 'playwright-core'

/** @returns an act: what asks before it is done is opened. */
export const unfold = (which: number) => (page: Page) => page.locator('main summary').nth(which).click()

/** Sends the form of a field, whatever the browser thinks of it. */
export async function send(page: Page, field: string, value: string): Promise<void> {
  const form = page.locator('form').filter({ has: page.locator(field) })
  await form.first().evaluate((it: HTMLFormElement) => {
    it.noValidate = true
  })
  await form.first().locator(field).fill(value)
  await form.first().locator('button').last().click()
}

/** @returns an act: sends the form of the field, and waits for what it causes. */
export const sending = (field: string, value: string, effect: string) => async (page: Page) => {
  await send(page, field, value)
  await page.locator(effect).first().waitFor()
}

export const checking =
  (file: string, ...effects: string[]) =>
  async (page: Page) => {
    await page
      .locator('#file')
      .setInputFiles({ name: 'delivery.csv', mimeType: 'text/csv', buffer: Buffer.from(file) })
    await page.locator('#delivery button').click()
    for (const [i, effect] of effects.entries()) {
      if (i > 0) await page.locator('#report button').click()
      await page.locator(effect).waitFor()
    }
  }

/** An act: the next page of the list, if there is one. @returns whether there was one. */
export async function turned(page: Page): Promise<boolean> {
  const next = page.locator('nav.turn a[href*="after="]')
  if ((await next.count()) === 0) return false
  const to = await next.getAttribute('href')
  await Promise.all([page.waitForURL(to!), next.click()])
  return true
}

/** An act: the last page of the list. */
export async function turnedToEnd(page: Page): Promise<void> {
  while (await turned(page));
}
