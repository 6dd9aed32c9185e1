/** Copies are received at `/receive`, by scanner and keyboard. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { eventually } from '../doubles/eventually.ts'
import type { Stage } from './stage.ts'
import { focused, fresh, freshIsbn, StockRoom, said, scan } from './stock-room.ts'

export function receiving(stage: () => Stage): void {
  const { windowOf, receive, reserve, order, figuresOf } = new StockRoom(stage)

  describe('at /receive', () => {
    test('300 copies are received in a row by the keyboard alone, one answer for each', {
      timeout: 120_000,
    }, async () => {
      const isbns = Array.from({ length: 30 }, freshIsbn)
      await Promise.all(isbns.map((isbn, i) => receive(isbn, 1, { title: `Volume ${i}`, isbn })))
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      for (let n = 0; n < 300; n++) {
        await scan(page, isbns[n % 30]!)
        const [title, copies] = [`Volume ${n % 30}`, 2 + Math.floor(n / 30)]
        const answer = new RegExp(`${title}: 1 copy received[^]*Now ${copies} copies available`)
        await page.getByRole('main').filter({ hasText: answer }).waitFor()
      }
      expect(await focused(page)).toBe('scan')
      for (const isbn of isbns) expect(await figuresOf(isbn)).toMatchObject({ qty: 11 })
    })

    test('a book that is new is received with its title, by the keyboard alone', async () => {
      const isbn = freshIsbn()
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      await scan(page, isbn)
      await said(page, `${isbn} is new`)
      expect(await focused(page)).toBe('title')
      await page.keyboard.insertText('소년이 온다')
      await page.keyboard.press('Tab')
      await scan(page, '한강')
      await said(page, '소년이 온다: 1 copy received')
      expect(await focused(page)).toBe('scan')
      expect(await figuresOf(isbn)).toMatchObject({ qty: 1, title: '소년이 온다', author: '한강', isbn })
    })

    test('a scan that meets the form of a new book does not become its title', async () => {
      const [isbn, next] = [freshIsbn(), freshIsbn()]
      await receive(next, 1, { isbn: next })
      const page = await windowOf('stock-manager', { allowed: /422/ })
      await page.goto('/receive')
      await scan(page, isbn)
      await said(page, `${isbn} is new`)
      await scan(page, next)
      await page.getByRole('alert').filter({ hasText: 'Enter the title, not an ISBN.' }).waitFor()
      expect((await stage().system.stock.get(`/stocks/${isbn}`)).status).toBe(404)
    })

    test('scans that come before the answer to the last one are received, each once', async () => {
      const [first, second] = [freshIsbn(), freshIsbn()]
      for (const isbn of [first, second]) await receive(isbn, 1, { isbn, title: `Volume ${isbn}` })
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      await page.route('**/receive', async (route) => {
        await sleep(300)
        await route.continue()
      })
      for (const isbn of [first, second, second]) await scan(page, isbn)
      // The same scan, sent once more.
      await page.keyboard.press('Enter')
      await page
        .getByRole('main')
        .filter({ hasText: `Volume ${second}` })
        .getByText('Now 3 copies')
        .waitFor()
      await scan(page, first)
      await page.keyboard.insertText(second.slice(0, 6))
      await said(page, `Volume ${first}: 1 copy received`)
      await scan(page, second.slice(6))
      await page
        .getByRole('main')
        .filter({ hasText: `Volume ${second}` })
        .getByText('Now 4 copies')
        .waitFor()
      expect([await figuresOf(first), await figuresOf(second)]).toMatchObject([{ qty: 3 }, { qty: 4 }])
    })

    test('an ISBN finds its book under another number; of two the right one is chosen', async () => {
      const isbn = freshIsbn()
      const [first, second] = [fresh('book'), fresh('book')]
      const listed = (bookid: string) =>
        eventually(async () => (await stage().system.reservation.get(`/books/${bookid}`)).status === 200)
      await receive(first, 1, { isbn: `${isbn.slice(0, 3)}-${isbn.slice(3)}` })
      await listed(first)
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      await scan(page, isbn)
      await page.getByText('Now 2 copies available').waitFor()
      await receive(second, 5, { isbn })
      await listed(second)
      await scan(page, isbn)
      await said(page, 'Several books have this ISBN')
      await page.getByRole('listitem').filter({ hasText: second }).getByRole('button').click()
      await page.getByText('Now 6 copies available').waitFor()
      expect([await figuresOf(first), await figuresOf(second)]).toMatchObject([{ qty: 2 }, { qty: 6 }])
    })

    test('what was not read rightly is not received', async () => {
      const page = await windowOf('stock-manager', { allowed: /422/ })
      await page.goto('/receive')
      for (const text of ['9783522202557', '978352220255', '모모']) {
        await scan(page, text)
        await said(page, `“${text}” is neither an ISBN nor a book number`)
        expect(await focused(page)).toBe('scan')
      }
    })

    test('the answer names the reservation that is next, not the customer; undone, it waits again', async () => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      await reserve(bookid, 'ann-first')
      const { reservationid } = await reserve(bookid, 'ben-waits')
      await reserve(bookid, 'cat-waits')
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      await scan(page, bookid)
      await said(
        page,
        `Set it aside for ${codeOf(reservationid)}, number 2 in the queue. 1 person still waiting.`,
      )
      expect(await page.locator('main').textContent()).not.toContain('ben-waits')
      expect(await figuresOf(bookid)).toMatchObject({ qty: 0, held: 2, waiting: 1 })
      await page.getByRole('button', { name: 'Undo' }).click()
      await said(page, '1 copy taken back')
      expect(await focused(page)).toBe('scan')
      expect(await figuresOf(bookid)).toMatchObject({ qty: 0, held: 1, waiting: 2 })
    })

    test('a copy belongs to an open order, until all of its copies have arrived', async () => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      await order(bookid, 2)
      const page = await windowOf('stock-manager')
      await page.goto('/receive')
      for (const [available, onOrder] of [
        [2, 1],
        [3, 0],
        [4, 0],
      ]) {
        await scan(page, bookid)
        await page.getByText(`Now ${available} copies available`).waitFor()
        expect(await page.getByText('against an open order').count()).toBe(available! < 4 ? 1 : 0)
        expect(await figuresOf(bookid)).toMatchObject({ qty: available, onOrder })
      }
    })

    test.each([true, false])(
      'with scripts: %s, a form that is sent again receives nothing more',
      async (javaScriptEnabled) => {
        const bookid = fresh('book')
        await receive(bookid, 1)
        await order(bookid, 1)
        const page = await windowOf('stock-manager', { javaScriptEnabled })
        await page.goto('/receive')
        const key = await page.locator('#scanning [name=key]').inputValue()
        await page.getByLabel('Scan or type an ISBN').fill(bookid)
        await page.getByRole('button', { name: 'Receive', exact: true }).dblclick()
        await page.getByText('Now 2 copies available').waitFor()
        if (!javaScriptEnabled) {
          await page.reload()
          await page.goBack()
          await page.goForward()
          await page.getByText('Now 2 copies available').waitFor()
        }
        const again = await fetch(`${stage().url}/receive`, {
          method: 'POST',
          redirect: 'manual',
          headers: { 'sec-fetch-site': 'same-origin', cookie: 'as=stock-manager%3Ajun' },
          body: new URLSearchParams({ key, scan: bookid, qty: '1' }),
        })
        expect(again.status).toBe(303)
        expect(await figuresOf(bookid)).toMatchObject({ qty: 2, onOrder: 0 })
      },
    )

    test('while stock is down a notice says so, and what was scanned is kept', {
      timeout: 60_000,
    }, async () => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      const page = await windowOf('stock-manager', { allowed: /503/ })
      await page.goto('/receive')
      const [process] = stage().system.processes.stock
      process!.pause()
      try {
        await scan(page, bookid)
        await page.getByRole('alert').filter({ hasText: 'stock service cannot be reached' }).waitFor()
        expect(await page.getByLabel('Scan or type an ISBN').inputValue()).toBe(bookid)
      } finally {
        process!.resume()
      }
      await eventually(async () => {
        await page.keyboard.press('Enter')
        await page.getByText('Now 2 copies available').waitFor({ timeout: 3_000 })
        return true
      })
      expect(await page.getByRole('alert').textContent()).toBe('')
      expect(await figuresOf(bookid)).toMatchObject({ qty: 2 })
    })
  })
}
