/** Stock, the books that are wanted, and orders. */
import { describe, expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import type { Stage } from './stage.ts'
import { fresh, freshIsbn, StockRoom, said } from './stock-room.ts'

export function keeping(stage: () => Stage): void {
  const room = new StockRoom(stage)
  const { windowOf, receive, reserve, figuresOf } = room

  describe('stock', () => {
    test('shows the figures, queue and movements of a book; copies leave, and rules change', async () => {
      const bookid = fresh('book')
      await receive(bookid, 2, { title: 'Krabat' })
      for (const userid of ['ann', 'ben', 'cat']) await reserve(bookid, userid)
      const page = await windowOf('stock-manager', { allowed: /422/ })
      await page.goto('/stock')
      await page.getByRole('searchbox').fill(bookid)
      await eventually(async () => {
        await page.getByRole('button', { name: 'Search' }).click()
        return (await page.getByRole('link', { name: 'Krabat' }).count()) === 1
      })
      await page.getByRole('link', { name: 'Krabat' }).click()
      await page.getByRole('heading', { level: 1, name: 'Krabat' }).waitFor()
      const queue = page.getByRole('table', { name: /^Queue/ }).getByRole('row')
      expect(await queue.nth(1).textContent()).toMatch(/^3.*cat/)
      const movements = page.getByRole('table', { name: /^Movements/ }).getByRole('row')
      expect(await movements.last().textContent()).toContain('Received2 copies')

      const withdraw = async () => {
        await page.getByLabel('Reason').selectOption('Damaged')
        await page.getByRole('button', { name: 'Withdraw' }).click()
      }
      await page.getByText('Withdraw copies').click()
      await withdraw()
      await page.getByRole('alert').filter({ hasText: 'Too few copies are available' }).waitFor()
      await page.getByLabel(/Also copies that are set aside/).check()
      await withdraw()
      await said(page, 'The copies are withdrawn.')
      expect(await figuresOf(bookid)).toMatchObject({ qty: 0, held: 1, owned: 1, waiting: 2 })

      await page.getByText('Rules of this book').click()
      await page.getByLabel('How many may wait', { exact: true }).fill('50')
      await page.getByLabel('Days after which a wait ends').fill('0')
      await page.getByLabel('Copies come back').selectOption('No')
      await page.getByRole('button', { name: 'Save the rules' }).click()
      await said(page, 'The rules are saved.')
      expect((await room.stock.get(`/stocks/${bookid}`)).body).toMatchObject({
        rules: { queueMax: 50, waitDays: null, lend: false, pickupDays: 3 },
        ownRules: { queueMax: 50, waitDays: null, lend: false },
      })
      await page.getByText('Rules of this book').click()
      await page.getByLabel('How many may wait', { exact: true }).fill('9999999')
      await page.getByRole('button', { name: 'Save the rules' }).click()
      await page.getByRole('alert').filter({ hasText: 'out of range' }).waitFor()
    })

    test('is wanted: a purchaser orders or declines, and staff receive what was ordered', async () => {
      const [wanted, declined] = [freshIsbn(), fresh('book')]
      for (const bookid of [wanted, declined]) await reserve(bookid, 'ann')
      const page = await windowOf('purchaser')
      await page.goto('/wanted')
      const row = (bookid: string) => page.getByRole('row').filter({ hasText: bookid })
      await row(declined).getByText('Decline').click()
      await row(declined).getByRole('textbox').fill('Out of print')
      await row(declined).getByRole('button', { name: 'Do not buy it' }).click()
      await said(page, 'The request is declined.')
      expect(await row(declined).count()).toBe(0)
      await row(wanted).getByRole('spinbutton').fill('2')
      await row(wanted)
        .getByRole('button', { name: /^Order/ })
        .click()
      await said(page, 'The copies are ordered.')
      expect(await row(wanted).count()).toBe(0)
      await page.goto('/orders')
      expect(await row(wanted).textContent()).toContain('On order')
      expect(await page.getByRole('link', { name: /^Receive/ }).count()).toBe(0)

      const staff = await windowOf('stock-manager')
      await staff.goto('/orders')
      await staff
        .getByRole('row')
        .filter({ hasText: wanted })
        .getByRole('link', { name: /^Receive/ })
        .click()
      await staff.getByLabel('Title').fill('Ronja')
      await staff.getByRole('button', { name: 'Receive the new book' }).click()
      await said(staff, 'Ronja: 2 copies received')
      expect(await figuresOf(wanted)).toMatchObject({ qty: 2, onOrder: 0, isbn: wanted })
      await staff.goto('/orders')
      const done = staff.getByRole('row').filter({ hasText: 'Ronja' })
      expect(await done.textContent()).toContain('Received')
      expect(await done.getByRole('link', { name: /^Receive/ }).count()).toBe(0)
    })

    test('and its links are shown to the people who may use them alone', async () => {
      const links = async (role: 'stock-manager' | 'purchaser' | 'customer') => {
        const page = await windowOf(role)
        await page.goto('/')
        return page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents()
      }
      expect(await links('stock-manager')).toEqual(expect.arrayContaining(['Receive', 'Stock', 'Orders']))
      expect(await links('purchaser')).toEqual(expect.arrayContaining(['Wanted', 'Orders', 'Stock']))
      const others = ['Receive', 'Stock', 'Wanted', 'Orders']
      expect((await links('customer')).filter((it) => others.includes(it))).toEqual([])
      const page = await windowOf('customer', { allowed: /403/ })
      for (const path of ['/receive', '/receive/csv', '/stock', '/stock/momo', '/wanted', '/orders'])
        expect((await page.goto(path))!.status(), path).toBe(403)
    })
  })
}
