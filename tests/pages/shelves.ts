/** The shelves: copies to fetch, the hold shelf with its slips, and returns. */
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { eventually, range } from '../doubles/eventually.ts'
import { Counter, type Reservation, says } from './counter.ts'
import type { Stage } from './stage.ts'

export function shelves(stage: () => Stage): void {
  const counter = new Counter(stage)
  const { newBook, reserve, ready, becomes, change, open } = counter

  describe('the shelves', () => {
    test('a copy that is not found leaves the stock, unless another person has found it', async () => {
      const { bookid, title } = await newBook('Gone', 2)
      const [lost, found] = [await reserve(bookid, `ann-${bookid}`), await reserve(bookid, `ben-${bookid}`)]
      const page = await open({ allowed: /409/ })
      const giveUp = async ({ reservationid }: Reservation) => {
        const row = page.getByRole('row').filter({ hasText: codeOf(reservationid) })
        await row.getByText('Not found').click()
        await row.getByRole('button', { name: 'It cannot be found' }).click()
      }
      await page.goto(`/shelf/pull?scan=${bookid}`)
      await change(found, { status: 'Ready' })
      await giveUp(found)
      await says(page, 'Nothing was done. The copy is already on the hold shelf.')
      await page.goto(`/shelf/pull?scan=${bookid}`)
      await giveUp(lost)
      await says(page, `Not found: ${title}`)
      const { body } = await counter.system.stock.get<{ owned: number }>(`/stocks/${bookid}`)
      expect(body.owned).toBe(1)
      await becomes(lost, 'Waiting')
    })

    test('a deadline moves to the same hour of another day', async () => {
      const { bookid, title } = await newBook('Later')
      const it = await ready(bookid, `ann-${bookid}`)
      const page = await open()
      await page.goto(`/shelf/ready?scan=${bookid}`)
      await page.getByText('Extend', { exact: true }).first().click()
      const day = new Date(Date.parse(it.pickupBy!) + 7 * 86_400_000).toISOString()
      await page.getByLabel('Keep it until').fill(day.slice(0, 10))
      await page.getByRole('button', { name: 'Extend' }).click()
      await says(page, `Extended: ${title}`)
      const { body } = await counter.system.stock.get<Reservation>(`/holds/${it.reservationid}`)
      expect(body.pickupBy).toBe(day)
    })

    test('slips are 80 mm wide, with title, code and deadline, and without the customer', async () => {
      const { bookid, title } = await newBook('The slip')
      const it = await ready(bookid, `secret-${bookid}`)
      const page = await open()
      await page.goto(`/shelf/ready?scan=${bookid}`)
      await page.emulateMedia({ media: 'print' })
      const slip = page.locator('.slip')
      expect(await slip.isVisible()).toBe(true)
      const text = await slip.textContent()
      expect(text).toContain(title)
      expect(text).toContain(codeOf(it.reservationid))
      expect(text).toMatch(/Until\s*\w+day, /)
      const names = page.getByText('secret')
      expect(await names.count()).toBeGreaterThan(0)
      expect(await names.filter({ visible: true }).count()).toBe(0)
      const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1')
      const sizes = [...pdf.matchAll(/\/MediaBox ?\[0 0 ([\d.]+) [\d.]+\]/g)].map(([, width]) =>
        Number(width),
      )
      expect(sizes.map((it) => Math.round((it / 72) * 25.4))).toEqual([80])
    })

    test('lists of hundreds have pages', async () => {
      const count = 51
      const { bookid } = await newBook('Many', count)
      const { reservation, stock } = counter.system
      await Promise.all(
        range(count).map((i) => reservation.post('/reservations', { bookid, userid: `many-${i}` })),
      )
      await eventually(
        async () => (await stock.get<{ held: number }>(`/stocks/${bookid}`)).body.held === count,
        { timeoutMs: 20_000, message: 'not all copies were set aside' },
      )
      const page = await open()
      await page.goto('/shelf/pull')
      expect(await page.getByRole('row').count()).toBe(51)
      await page.getByRole('link', { name: 'Next page' }).click()
      expect(await page.getByRole('row').count()).toBeGreaterThan(1)
      await page.getByRole('link', { name: 'First page' }).click()
      expect(await page.getByRole('row').count()).toBe(51)
    })

    test('a damaged copy that comes back leaves the stock', async () => {
      const { bookid, title } = await newBook('Torn')
      const it = await reserve(bookid, `ann-${bookid}`)
      await change(it, { status: 'Collected' })
      await becomes(it, 'Collected')
      const next = await reserve(bookid, `ben-${bookid}`)
      const page = await open()
      await page.goto(`/return?scan=${bookid}`)
      await page.getByText('Damaged', { exact: true }).click()
      await page.getByRole('button', { name: 'Returned damaged' }).click()
      await says(page, `Returned damaged: ${title}`)
      expect((await counter.system.stock.get(`/stocks/${bookid}`)).body).toMatchObject({
        owned: 0,
        waiting: 1,
      })
      await becomes(next, 'Waiting')
    })
  })
}
