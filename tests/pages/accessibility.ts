/**
 * Visits the pages. Usually axe must find nothing, in both schemes, on a phone and on a desk. With `PICTURES=FOLDER`, pictures of them are
 * written into the folder instead, for people to look at.
 */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, test } from 'vitest'
import { ids, prepare } from './library.ts'
import { expectAccessible, type Stage } from './stage.ts'
import type { State } from './states/state.ts'
import { pages } from './states.ts'

export const folder = process.env.PICTURES

/** Pages with most of what pages are made of, in one language each. */
const sampled = { 'a book': 'ko', 'the desk with a customer': 'en', 'what is wanted': 'ko' }

export function sample(stage: () => Stage): void {
  describe('for everybody:', () => {
    beforeAll(() => prepare(stage()))
    test.each(Object.entries(sampled))('%s, in %s', (name, locale) =>
      visit(stage(), pages.find((it) => it.name === name)!, locale),
    )
  })
}

export async function visit(stage: Stage, state: State, locale: string): Promise<void> {
  const { name, path, as, allowed, act } = state
  const page = await stage.window({ locale, ...(as && { as }), ...(allowed && { allowed }) })
  await page.goto(path.replaceAll(/\{(\w+)\}/g, (_, name) => ids[name]!))
  await act?.(page)
  await look(page, name, locale)
}

export async function look(page: Page, name: string, locale: string): Promise<void> {
  if (folder === undefined) return await expectAccessible(page)
  for (const width of [1280, 390, 320]) {
    await page.setViewportSize({ width, height: 800 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const file = `${name.replaceAll(/[^\w]+/g, '-')}.${locale}.${width}.${colorScheme}.png`
      await page.screenshot({ path: join(folder, file), fullPage: true, animations: 'disabled' })
    }
  }
}
