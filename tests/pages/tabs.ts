/** Forms that are sent from two tabs, or again as they were, have one effect. */
import type { Page, Request } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { Counter, says } from './counter.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom, said } from './stock-room.ts'

export function tabs(stage: () => Stage): void {
  const room = new StockRoom(stage)
  const { newBook, reserve, ready, becomes } = new Counter(stage)

  /** Opens a page in two tabs before anything is done in them. */
  const inTwoTabs = async (role: 'stock-manager' | 'purchaser' | 'customer', path: string) => {
    const first = await room.windowOf(role, { javaScriptEnabled: false })
    const second = await first.context().newPage()
    await first.goto(path)
    await second.goto(path)
    return [first, second] as const
  }
  const movementsOf = async (bookid: string) =>
    (
      await room.stock.get<{ _embedded: { movements: { type: string }[] } }>(`/stocks/${bookid}/movements`)
    ).body._embedded.movements.map((it) => it.type)

  describe('in two tabs', () => {
    test('an order is received once, and a rest that arrives later is received with its next page', async () => {
      const bookid = fresh('book')
      await room.receive(bookid, 1)
      const purchaseid = await room.order(bookid, 5)
      const path = `/receive?order=${purchaseid}`
      for (const qty of ['2', '3']) {
        for (const tab of await inTwoTabs('stock-manager', path)) {
          await tab.locator('#order-qty').fill(qty)
          await tab.locator('#more').getByRole('button', { name: 'Receive' }).click()
          await said(tab, /copies received/)
        }
      }
      expect(await room.figuresOf(bookid)).toMatchObject({ qty: 6, onOrder: 0 })
    })

    test('an order of a new book is received once', async () => {
      const bookid = fresh('book')
      const purchaseid = await room.order(bookid, 2)
      const [first, second] = await inTwoTabs('stock-manager', `/receive?order=${purchaseid}`)
      for (const [tab, title] of [
        [first, 'Ronja'],
        [second, 'Ronia'],
      ] as const) {
        await tab.getByLabel('Title').fill(title)
        await tab.getByRole('button', { name: 'Receive the new book' }).click()
      }
      await said(first, 'Ronja: 2 copies received')
      await said(second, 'nothing was received now')
      expect(await room.figuresOf(bookid)).toMatchObject({ qty: 2, title: 'Ronja' })
    })

    test('a receipt is undone once', async () => {
      const bookid = fresh('book')
      await room.receive(bookid, 5)
      const page = await room.windowOf('stock-manager', { javaScriptEnabled: false })
      await page.goto('/receive')
      await page.getByLabel('Scan or type an ISBN').fill(bookid)
      await page.getByRole('button', { name: 'Receive', exact: true }).click()
      await said(page, '1 copy received')
      const second = await page.context().newPage()
      await second.goto(page.url())
      for (const tab of [page, second]) {
        await tab.getByRole('button', { name: 'Undo' }).click()
        await said(tab, '1 copy taken back')
      }
      expect(await room.figuresOf(bookid)).toMatchObject({ qty: 5 })
    })

    test('copies are withdrawn once', async () => {
      const bookid = fresh('book')
      await room.receive(bookid, 5)
      for (const tab of await inTwoTabs('stock-manager', `/stock/${bookid}`)) {
        await tab.getByText('Withdraw copies').click()
        await tab.getByRole('button', { name: 'Withdraw' }).click()
        await said(tab, 'The copies are withdrawn.')
      }
      expect(await room.figuresOf(bookid)).toMatchObject({ qty: 4 })
    })

    test('a book that is wanted is ordered once, also with another number of copies', async () => {
      const bookid = fresh('book')
      await room.reserve(bookid, fresh('ann'))
      const [first, second] = await inTwoTabs('purchaser', '/wanted')
      for (const [tab, qty] of [
        [first, '2'],
        [second, '3'],
      ] as const) {
        const row = tab.getByRole('row').filter({ hasText: bookid })
        await row.getByRole('spinbutton').fill(qty)
        await row.getByRole('button', { name: /^Order/ }).click()
      }
      await said(first, 'The copies are ordered.')
      await said(second, 'Nothing was ordered now')
      const { body } = await room.stock.get<{ _embedded: { purchases: { qty: number }[] } }>(
        `/purchases?bookid=${bookid}`,
      )
      expect(body._embedded.purchases).toMatchObject([{ qty: 2 }])
    })

    test('a reservation is made once, and again after it was canceled', async () => {
      const bookid = fresh('book')
      // Several reservations of a customer are allowed.
      await room.receive(bookid, 5)
      await room.stock.put(`/stocks/${bookid}/rules`, { onePerBook: false })
      const as = { userid: fresh('mina'), role: 'customer' }
      const first = await stage().window({ as, javaScriptEnabled: false })
      const second = await first.context().newPage()
      for (const count of [1, 2]) {
        for (const tab of [first, second]) await tab.goto(`/book/${bookid}`)
        for (const tab of [first, second]) {
          await tab.getByRole('button', { name: 'Reserve' }).click()
          await tab.waitForURL(/\/me\/[0-9a-f-]+$/)
        }
        expect(first.url()).toBe(second.url())
        expect(await room.figuresOf(bookid)).toMatchObject({ held: 1 })
        const { body } = await stage().system.reservation.get<{ _embedded: { reservations: object[] } }>(
          `/reservations?userid=${as.userid}`,
        )
        expect(body._embedded.reservations).toHaveLength(count)
        await first.getByText('Cancel', { exact: true }).click()
        await first.getByRole('button', { name: 'Yes, cancel it' }).click()
        await said(first, 'The reservation is canceled.')
        await eventually(async () => (await room.figuresOf(bookid)).held === 0)
      }
    })

    test('a damaged copy is returned and withdrawn once', async () => {
      const { bookid, isbn, title } = await newBook('Krabat', 3)
      const reservation = await ready(bookid, fresh('ann'))
      await room.stock.patch(`/holds/${reservation.reservationid}`, { status: 'Collected' })
      await becomes(reservation, 'Collected')
      for (const tab of await inTwoTabs('stock-manager', `/return?scan=${isbn}`)) {
        await tab.getByText('Damaged', { exact: true }).click()
        await tab.getByRole('button', { name: 'Returned damaged' }).click()
        await says(tab, `Returned damaged: ${title}`)
      }
      expect(await room.figuresOf(bookid)).toMatchObject({ owned: 2, out: 0 })
    })

    test('a copy that cannot be found is lost once, although its customer is served again', async () => {
      const { bookid, title } = await newBook('Krabat', 3)
      await reserve(bookid, fresh('ann'))
      for (const tab of await inTwoTabs('stock-manager', `/shelf/pull?scan=${bookid}`)) {
        await tab.getByText('Not found', { exact: true }).click()
        await tab.getByRole('button', { name: 'It cannot be found' }).click()
        await says(tab, `Not found: ${title}`)
      }
      expect(await room.figuresOf(bookid)).toMatchObject({ owned: 2, held: 1 })
    })
  })

  test('each form of a day that is sent again as it was changes nothing more', {
    timeout: 60_000,
  }, async () => {
    const { bookid, isbn } = await newBook('Momo', 2)
    const [ann, ben] = [fresh('ann'), fresh('ben')]
    for (const userid of [ann, ben]) await reserve(bookid, userid)
    const page = await room.windowOf('stock-manager', { javaScriptEnabled: false })
    const posts: Request[] = []
    page.on('request', (it) => void (it.method() === 'POST' && posts.push(it)))
    const act = async (path: string, run: (page: Page) => Promise<void>) => {
      await page.goto(path)
      await run(page)
      await page.waitForLoadState()
      const before = { figures: await room.figuresOf(bookid), movements: await movementsOf(bookid) }
      await sendAgain(page, posts.at(-1)!)
      const after = { figures: await room.figuresOf(bookid), movements: await movementsOf(bookid) }
      expect(after, path).toEqual(before)
    }
    const press = (name: string | RegExp) => (it: Page) => it.getByRole('button', { name }).first().click()
    const open = (summary: string, name: string) => async (it: Page) => {
      await it.getByText(summary, { exact: true }).first().click()
      await press(name)(it)
    }
    const shelf = (userid: string) => `/desk?userid=${userid}`
    await act(`/shelf/pull?scan=${isbn}`, press('On the shelf'))
    await act(`/shelf/pull?scan=${isbn}`, press('On the shelf'))
    await act(`/shelf/ready?scan=${isbn}`, open('Extend', 'Extend'))
    await act(shelf(ann), press('Hand over'))
    await act(`/return?scan=${isbn}`, press('Returned'))
    await act(shelf(ben), open('Cancel', 'Cancel the reservation'))
    await act(shelf(ben), async (it) => {
      await it.getByText('Block this customer').click()
      await it.getByLabel('Reason').fill('Three books are missing')
      await it.getByRole('button', { name: 'Block' }).click()
    })
    await act(shelf(ben), press('End the block'))
    await act('/receive', async (it) => {
      await it.getByLabel('Scan or type an ISBN').fill(isbn)
      await press('Receive')(it)
    })
    await act(page.url(), press('Undo'))
    await act(`/stock/${bookid}`, open('Withdraw copies', 'Withdraw'))
    await act(`/stock/${bookid}`, open('Rules of this book', 'Save the rules'))
    expect(new Set(posts.map((it) => new URL(it.url()).pathname.replace(bookid, '{book}')))).toEqual(
      new Set([
        '/shelf/pull/shelve',
        '/shelf/ready/extend',
        '/desk/hand-over',
        '/return',
        '/desk/cancel',
        '/desk/block',
        '/desk/unblock',
        '/receive',
        '/receive/undo',
        '/stock/{book}/withdraw',
        '/stock/{book}/rules',
      ]),
    )
  })
}

/** As a double click, the back button or a reload do. */
async function sendAgain(page: Page, request: Request): Promise<void> {
  const response = await page.request.fetch(request.url(), {
    method: 'POST',
    headers: {
      'content-type': (await request.headerValue('content-type'))!,
      'sec-fetch-site': 'same-origin',
    },
    data: request.postDataBuffer()!,
  })
  expect([200, 409], request.url()).toContain(response.status())
}
