/** Every page, in both languages: axe finds nothing, in both schemes, on a phone and on a desk. */
import { describe, test } from 'vitest'
import { expectAccessible, type Stage } from './stage.ts'

type Visited = { name: string; path: string; as?: { userid: string; role: string }; allowed?: RegExp }

const visited: Visited[] = [
  { name: 'the books', path: '/' },
  { name: 'a search without a result', path: '/?q=9783522202558' },
  { name: 'who you are', path: '/as' },
  { name: 'a page that does not exist', path: '/nothing', allowed: /404/ },
]

export function accessibility(stage: () => Stage): void {
  describe.each(['ko', 'en'])('for everybody, in %s:', (locale) => {
    test.each(visited)('$name', async ({ path, as, allowed }) => {
      const page = await stage().window({ locale, ...(as && { as }), ...(allowed && { allowed }) })
      await page.goto(path)
      await expectAccessible(page)
    })
  })
}
