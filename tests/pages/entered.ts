/** Forms that cannot be accepted show what was entered again, with the fault beside it. */
import { describe, expect, test } from 'vitest'
import { Counter, says } from './counter.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom } from './stock-room.ts'

export function entered(stage: () => Stage): void {
  const room = new StockRoom(stage)
  const { newBook, reserve } = new Counter(stage)
  /** A browser that checks nothing by itself. */
  const unchecked = async (role: 'stock-manager' | 'purchaser' | 'customer', path: string) => {
    const page = await room.windowOf(role, { allowed: /422|409/ })
    await page.goto(path)
    await page.evaluate(() => {
      for (const form of document.forms) form.noValidate = true
      for (const it of document.querySelectorAll('[maxlength]')) it.removeAttribute('maxlength')
      // Without scripts: the whole page is the answer.
      for (const it of document.querySelectorAll('form'))
        it.addEventListener('submit', (event) => event.stopImmediatePropagation(), { capture: true })
    })
    return page
  }

  describe('a form that cannot be accepted keeps what was entered', () => {
    test('at a book that is wanted', async () => {
      const bookid = fresh('book')
      await room.reserve(bookid, fresh('ann'))
      const page = await unchecked('purchaser', '/wanted')
      const row = page.getByRole('row').filter({ hasText: bookid })
      await row.getByRole('spinbutton').fill('12345')
      await row.getByRole('button', { name: /^Order/ }).click()
      await page.getByRole('alert').getByText('Enter a whole number of copies, from 1 to 9,999.').waitFor()
      expect(await row.getByRole('spinbutton').inputValue()).toBe('12345')
      expect(await row.getByRole('spinbutton').getAttribute('aria-invalid')).toBe('true')
      expect(await row.textContent()).toContain('from 1 to 9,999')
      expect(await page.locator('[aria-invalid]').count()).toBe(1)
      // Links of the answer lead to the page of the form.
      const nav = page.getByRole('navigation', { name: 'Pages' })
      expect(await nav.locator('[aria-current]').textContent()).toBe('Wanted')
      await page.getByRole('link', { name: '한국어' }).click()
      await page.getByRole('heading', { name: '구매 요청', level: 1 }).waitFor()
    })

    test('at a receipt, of which the number of copies is wrong', async () => {
      const bookid = fresh('book')
      await room.receive(bookid, 1)
      const page = await unchecked('stock-manager', '/receive')
      await page.locator('#scan').fill(bookid)
      await page.locator('#scan-qty').fill('0')
      await page.getByRole('button', { name: 'Receive', exact: true }).click()
      await page.locator('#scan-qty-fault').waitFor()
      expect(await page.locator('#scan').inputValue()).toBe(bookid)
      expect(await page.locator('#scan-qty').inputValue()).toBe('0')
      await page.locator('#scan-qty:focus').waitFor()
    })

    test('at an order that arrives', async () => {
      const bookid = fresh('book')
      await room.receive(bookid, 1)
      const page = await unchecked('stock-manager', `/receive?order=${await room.order(bookid, 2)}`)
      await page.locator('#order-qty').fill('-1')
      await page.locator('#more').getByRole('button', { name: 'Receive' }).click()
      await page.locator('#order-qty-fault').waitFor()
      expect(await page.locator('#order-qty').inputValue()).toBe('-1')
    })

    test('at the settings', async () => {
      const page = await unchecked('customer', '/me/settings')
      await page.getByLabel('Mobile phone').fill('010-1234-5678')
      await page.getByLabel('E-mail', { exact: true }).fill('m'.repeat(3_000))
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('This is not an e-mail address.').first().waitFor()
      expect(await page.getByLabel('Mobile phone').inputValue()).toBe('010-1234-5678')
    })

    test('at the desk: a block, and the cause of a cancellation', async () => {
      const { bookid, title } = await newBook('Momo')
      const userid = fresh('ann')
      await reserve(bookid, userid)
      const page = await unchecked('stock-manager', `/desk?userid=${userid}`)
      await page.getByText('Block this customer').click()
      await page.getByLabel('Reason').fill('Books are missing')
      await page.getByLabel('Last day').fill('2020-01-01')
      await page.getByRole('button', { name: 'Block' }).click()
      await says(page, 'Nothing was done. The day must be in the future.')
      expect(await page.getByLabel('Reason').inputValue()).toBe('Books are missing')
      expect(await page.getByLabel('Last day').inputValue()).toBe('2020-01-01')

      const again = await unchecked('stock-manager', `/desk?userid=${userid}`)
      await again.getByRole('row').filter({ hasText: title }).getByText('Cancel', { exact: true }).click()
      await again.getByLabel('The library needs to').check()
      await again.getByLabel('Note to the customer').fill('n'.repeat(201))
      await again.getByRole('button', { name: 'Cancel the reservation' }).click()
      await says(again, 'Check what you entered')
      expect(await again.getByLabel('The library needs to').isChecked()).toBe(true)
      expect(await again.getByLabel('Note to the customer').inputValue()).toHaveLength(201)
    })
  })
}
