/** Addresses that are incomplete or damaged: each page says so. */
import { describe, expect, test } from 'vitest'
import type { Stage } from './stage.ts'
import { fresh, StockRoom } from './stock-room.ts'

type Role = 'customer' | 'stock-manager' | 'purchaser' | 'operator'

/** The lists of the pages, with what their addresses can have. */
const lists: [role: Role, path: string, ...queries: string[]][] = [
  ['customer', '/', 'after=broken', 'q=a&after=broken', 'available=true&after=broken'],
  ['customer', '/me', 'after=broken'],
  ['stock-manager', '/shelf/pull', 'after=broken'],
  ['stock-manager', '/shelf/ready', 'after=broken'],
  ['stock-manager', '/stock', 'after=broken', 'q=a&after=broken'],
  ['stock-manager', '/stock/{book}', 'queue=broken', 'movements=broken'],
  ['stock-manager', '/orders', 'after=broken'],
  ['purchaser', '/wanted', 'after=broken'],
  ['operator', '/ops/letters', 'service=stock&after=broken', 'service=nothing', 'partition=x'],
  ['operator', '/ops/notices', 'after=broken', 'status=Nothing', 'kind=x', 'channel=x', 'userid=a%20b'],
  ['operator', '/ops/alerts', 'after=broken'],
]

export function addresses(stage: () => Stage): void {
  const { receive } = new StockRoom(stage)

  describe('an address that names no page or filter of its list', () => {
    test.each(lists)('as %s, is not taken for an empty list: %s', async (role, path, ...queries) => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      const list = path.replace('{book}', bookid)
      const page = await stage().window({ as: { userid: 'jun', role }, allowed: /400/ })
      for (const query of queries) {
        const response = await page.goto(`${list}?${query}`)
        expect(response?.status(), query).toBe(400)
        await page.getByRole('heading', { name: 'There is no such list' }).waitFor()
        await page.getByRole('button', { name: 'Show the list from its beginning' }).click()
        await page.waitForURL(list)
        expect(await page.getByRole('heading', { name: 'There is no such list' }).count(), query).toBe(0)
      }
    })

    test('with a customer who cannot be one, says that nothing is set aside for them', async () => {
      const page = await stage().window({ as: { userid: 'jun', role: 'stock-manager' } })
      await page.goto('/desk?userid=a%20b')
      await page.getByRole('status').getByText('Nothing is set aside for “a b”.').waitFor()
    })
  })
}
