/** The pages of people who receive, keep and order copies. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { isbnOf } from '../../web/isbn.ts'
import { eventually } from '../doubles/eventually.ts'
import { reserveAndWait, stockOf } from '../harness/acts.ts'
import type { Stage, WindowOptions } from './stage.ts'

/** Books of their own for each test. */
let count = 0
const fresh = (name: string) => `${name}-r${++count}`

/** Another ISBN each time. */
function freshIsbn(): string {
  const start = `97911${String(++count).padStart(7, '0')}`
  return Array.from({ length: 10 }, (_, digit) => `${start}${digit}`).find((it) => isbnOf(it))!
}

export function receiving(stage: () => Stage): void {
  const windowOf = (role: 'stock-manager' | 'purchaser' | 'customer', options: WindowOptions = {}) =>
    stage().window({ ...options, as: { userid: 'jun', role } })
  const stock = () => stage().system.stock
  const receive = (bookid: string, qty: number, about: object = {}) =>
    stock().post('/stocks', { bookid, qty, title: fresh('Title'), ...about })
  const reserve = (bookid: string, userid: string) =>
    reserveAndWait(stage().system.reservation, bookid, userid)
  const figuresOf = (bookid: string) => stockOf(stage().system, bookid)
  const order = async (bookid: string, qty: number) =>
    (await stock().post<{ purchaseid: string }>('/purchases', { bookid, qty })).body.purchaseid

  /** As a scanner does. */
  async function scan(page: Page, text: string): Promise<void> {
    await page.keyboard.insertText(text)
    await page.keyboard.press('Enter')
  }
  const said = (page: Page, text: string | RegExp) =>
    page.getByRole('status').filter({ hasText: text }).waitFor()
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.id)

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
        await said(page, `“${text}” is not an ISBN`)
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

  describe('at /receive/csv', () => {
    const csv = (bytes: Uint8Array | string) => ({
      name: 'delivery.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(bytes as string),
    })
    const choose = (page: Page, bytes: Uint8Array | string) =>
      page.getByLabel('CSV file').setInputFiles(csv(bytes))
    const check = (page: Page) => page.getByRole('button', { name: 'Check the file' }).click()
    const confirm = (page: Page) => page.getByRole('button', { name: /^Receive \d/ }).click()

    test.each([true, false])(
      'with scripts: %s, a file is checked, received, and adds nothing when sent again',
      async (javaScriptEnabled) => {
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
      },
    )

    test('an import that is interrupted goes on where it was, without an effect twice', async () => {
      const books = Array.from({ length: 10 }, () => fresh('book'))
      const lines = Array.from({ length: 400 }, (_, i) => `${books[i % 10]},Volume ${i % 10},1`)
      const file = `bookid,title,qty\n${lines.join('\n')}\n`
      const received = async () => {
        const all = await Promise.all(books.map((it) => stock().get<{ qty?: number }>(`/stocks/${it}`)))
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
      await said(again, 'Done: 400 lines with 400 copies received.')
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
  })

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
      expect((await stock().get(`/stocks/${bookid}`)).body).toMatchObject({
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
