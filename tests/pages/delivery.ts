/** Deliveries are received from a file at `/receive/csv`. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import type { Stage } from './stage.ts'
import { fresh, freshIsbn, StockRoom, said } from './stock-room.ts'

const csv = (bytes: Uint8Array | string) => ({
  name: 'delivery.csv',
  mimeType: 'text/csv',
  buffer: Buffer.from(bytes as string),
})
const choose = (page: Page, bytes: Uint8Array | string) =>
  page.getByLabel('CSV file').setInputFiles(csv(bytes))
const check = (page: Page) => page.getByRole('button', { name: 'Check the file' }).click()
const confirm = (page: Page) => page.getByRole('button', { name: /^Receive \d/ }).click()

export function delivery(stage: () => Stage, javaScriptEnabled: boolean): void {
  const { windowOf, receive, order, figuresOf } = new StockRoom(stage)

  test(`with scripts: ${javaScriptEnabled}, a file is checked, received, and adds nothing when sent again`, async () => {
    const [momo, isbn] = [fresh('momo'), freshIsbn()]
    await receive(momo, 1)
    await order(momo, 3)
    const page = await windowOf('stock-manager', { javaScriptEnabled, allowed: /422/ })
    await page.goto('/receive/csv')
    await choose(page, `qty,bookid,isbn,title\n0,${momo},,\n3,,9783522202557,모모\n`)
    await check(page)
    await said(page, '2 faults. Nothing was received.')
    const faults = page.getByRole('table', { name: 'Faults by line' }).getByRole('row')
    expect(await faults.nth(1).textContent()).toMatch(/^Line 2.*whole number/)
    expect(await faults.nth(2).textContent()).toMatch(/^Line 3.*not an ISBN/)
    // CP949, with a syllable that only it has.
    const head = new TextEncoder().encode(`bookid,isbn,qty,title\n${momo},,3,\n,${isbn},2,`)
    const file = new Uint8Array([...head, 0x8c, 0x63, 0x0a])
    for (const time of ['first', 'second']) {
      await choose(page, file)
      await check(page)
      await said(page, 'No faults: 2 lines, 5 copies')
      if (!javaScriptEnabled) await choose(page, file)
      await confirm(page)
      await said(page, 'Done: 2 lines with 5 copies received.')
      expect(await figuresOf(momo), time).toMatchObject({ qty: 4, onOrder: 0 })
      expect(await figuresOf(isbn), time).toMatchObject({ qty: 2, title: '똠' })
      await page.goto('/receive/csv')
    }
  })
}

export function unusualDeliveries(stage: () => Stage): void {
  const room = new StockRoom(stage)
  const { windowOf } = room

  test('an import that is interrupted goes on where it was, without an effect twice', {
    timeout: 90_000,
  }, async () => {
    const books = Array.from({ length: 10 }, () => fresh('book'))
    const lines = Array.from({ length: 400 }, (_, i) => `${books[i % 10]},Volume ${i % 10},1`)
    const file = `bookid,title,qty\n${lines.join('\n')}\n`
    const received = async () => {
      const all = await Promise.all(books.map((it) => room.stock.get<{ qty?: number }>(`/stocks/${it}`)))
      return all.reduce((sum, { body }) => sum + (body.qty ?? 0), 0)
    }
    const page = await windowOf('stock-manager')
    await page.goto('/receive/csv')
    await choose(page, file)
    await check(page)
    await said(page, 'No faults: 400 lines')
    await confirm(page)
    await page.getByRole('progressbar').waitFor()
    await eventually(async () => (await received()) > 20)
    await page.context().close()
    const again = await windowOf('stock-manager')
    await again.goto('/receive/csv')
    await choose(again, file)
    await check(again)
    await confirm(again)
    // Eight hundred calls, on a machine that may be busy.
    await said(again, 'Done: 400 lines with 400 copies received.', { timeout: 60_000 })
    expect(await received()).toBe(400)
  })

  test('a file that is too large, or none, is refused', async () => {
    const page = await windowOf('stock-manager', { allowed: /422/ })
    await page.goto('/receive/csv')
    await choose(page, `bookid,qty\n${'momo,1\n'.repeat(750_000)}`)
    await check(page)
    await said(page, 'larger than 5 MB')
    await choose(page, '')
    await check(page)
    await said(page, 'Choose a file.')
  })
}
