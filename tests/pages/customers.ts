/** A customer's pages: search, reserve, follow and cancel. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { reserveAndWait, stockOf } from '../harness/acts.ts'
import type { Stage, WindowOptions } from './stage.ts'

/** Books and people of their own for each test. */
let count = 0
const fresh = (name: string) => `${name}-${++count}`

export function customers(stage: () => Stage): void {
  const windowOf = (userid: string, options: WindowOptions = {}) =>
    stage().window({ ...options, as: { userid, role: 'customer' } })

  /** Receives copies of a book, and waits until it is listed. */
  async function book(qty: number, title = fresh('Momo'), isbn = ''): Promise<string> {
    const bookid = fresh('book')
    const { system } = stage()
    await system.stock.post('/stocks', { bookid, qty, title, author: 'Michael Ende', isbn })
    await eventually(async () => (await system.reservation.get(`/books/${bookid}`)).status === 200)
    return bookid
  }

  const reservationsOf = async (userid: string) => {
    type List = { _embedded: { reservations: { reservationid: string; status: string }[] } }
    const { body } = await stage().system.reservation.get<List>(`/reservations?userid=${userid}`)
    return body._embedded.reservations
  }
  const hold = (reservationid: string, change: object) =>
    stage().system.stock.patch(`/holds/${reservationid}`, change)

  const badge = (page: Page, text: string) => page.locator('.badge', { hasText: text })

  test("without scripts, the original's scene: reserve, see that it is reserved, cancel", async () => {
    const userid = fresh('mina')
    const bookid = await book(3)
    const page = await windowOf(userid, { javaScriptEnabled: false })
    await page.goto(`/?q=${bookid}`)
    await page.getByRole('link', { name: 'Momo' }).click()
    expect(await page.locator('.availability').textContent()).toContain('3 copies available')
    await page.getByRole('button', { name: 'Reserve' }).click()
    await badge(page, 'Reserved').waitFor()
    expect(await stockOf(stage().system, bookid)).toMatchObject({ qty: 2, held: 1 })
    await page.getByText('Cancel', { exact: true }).click()
    await page.getByRole('button', { name: 'Yes, cancel it' }).click()
    await page.getByRole('status').getByText('The reservation is canceled.').waitFor()
    await badge(page, 'Canceled').waitFor()
    await eventually(async () => (await stockOf(stage().system, bookid)).qty === 3)
  })

  test('an ISBN that is typed or scanned leads to its book; an unknown one can be wished for', async () => {
    const bookid = await book(1, 'Momo', '978-3-522-20255-8')
    const page = await windowOf(fresh('mina'))
    for (const typed of ['978-3-522-20255-8', '3-522-20255-4']) {
      await page.goto('/')
      await page.getByRole('searchbox').fill(typed)
      await page.keyboard.press('Enter')
      await page.waitForURL(`/book/${bookid}`)
    }
    await page.goto('/?q=9788937473135')
    await page.getByRole('button', { name: 'Ask the library to buy this book' }).click()
    await page.getByRole('button', { name: 'Ask the library to buy it' }).click()
    await page.getByText('It knows that you would like to read it').waitFor()
    type Requests = { _embedded: { 'purchase-requests': { bookid: string }[] } }
    await eventually(async () => {
      const { body } = await stage().system.stock.get<Requests>('/purchase-requests')
      return Object.values(body._embedded)
        .flat()
        .some((it) => it.bookid === '9788937473135')
    })
  })

  test('a rush: of two customers who see the last copy, one gets it and the other is first in the queue', async () => {
    const bookid = await book(1)
    const people = [fresh('mina'), fresh('jun')]
    const pages = await Promise.all(people.map((it) => windowOf(it)))
    await Promise.all(pages.map((page) => page.goto(`/book/${bookid}`)))
    await Promise.all(pages.map((page) => page.getByRole('button', { name: 'Reserve' }).click()))
    await Promise.all(pages.map((page) => page.waitForURL('/me/*')))
    const shown = await Promise.all(pages.map((page) => page.locator('.outcome').textContent()))
    const loser = shown.findIndex((it) => it?.includes('Waiting'))
    expect(shown[loser]).toContain('You are number 1 of 1.')
    expect(shown[1 - loser]).toContain('A copy is set aside for you.')
    const third = await windowOf(fresh('hana'))
    await third.goto(`/book/${bookid}`)
    expect(await third.locator('.offer').textContent()).toContain('You would be number 2 in the queue.')
    // The winner cancels, and the page of the other one shows it without being loaded again.
    await pages[1 - loser]!.getByText('Cancel', { exact: true }).click()
    await pages[1 - loser]!.getByRole('button', { name: 'Yes, cancel it' }).click()
    await badge(pages[loser]!, 'Reserved').waitFor()
    await pages[loser]!.locator('#news', { hasText: 'Reserved' }).waitFor({ state: 'attached' })
  })

  test('the list of reservations shows each change by itself, and keeps the focus', async () => {
    const userid = fresh('mina')
    const { system } = stage()
    const [first, second] = [await book(1), await book(1)]
    const { reservationid } = await reserveAndWait(system.reservation, first, userid)
    await reserveAndWait(system.reservation, second, userid)
    const page = await windowOf(userid)
    await page.goto('/me')
    const row = page.locator(`#r-${reservationid}`)
    expect(await row.locator('.badge').textContent()).toBe('Reserved')
    await row.getByRole('link').focus()
    await hold(reservationid, { status: 'Ready' })
    await row.locator('.badge', { hasText: 'Ready to collect' }).waitFor()
    expect(await row.textContent()).toMatch(/Collect it by: \w+day, \w+ \d+ at 18:00/)
    expect(await row.locator('.code strong').textContent()).toMatch(/^[0-9A-HJKMNP-TV-Z]{6}$/)
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('Momo')
    await hold(reservationid, { status: 'Collected', userid })
    await row.locator('.badge', { hasText: 'Collected' }).waitFor()
    expect(await row.getByText('Cancel', { exact: true }).count()).toBe(0)
    await row.getByRole('link').click()
    await page.waitForURL(`/me/${reservationid}`)
    // The notice of the hand-over may come later than the status, and a page of what has ended does not change by itself.
    const course = async () => {
      await page.reload()
      return await page.locator('#course li span').allTextContents()
    }
    await expect
      .poll(course)
      .toEqual(['Handed over', 'On the hold shelf', 'A copy was set aside', 'Reserved by you'])
  })

  test('while stock is stopped, reservations are accepted, and the page says what is missing', async () => {
    const userid = fresh('mina')
    const bookid = await book(1)
    const { system } = stage()
    const [stock] = system.processes.stock
    await stock!.stop()
    const page = await windowOf(userid)
    await page.goto(`/book/${bookid}`)
    const missing = page.getByRole('alert').getByText('The stock service cannot be reached right now.')
    await missing.waitFor()
    expect(await page.locator('.availability').textContent()).toContain('1 copy available')
    await page.getByRole('button', { name: 'Reserve' }).click()
    await badge(page, 'Being decided').waitFor()
    await stock!.start()
    await badge(page, 'Reserved').waitFor()
    await page.goto(`/book/${bookid}`)
    expect(await missing.count()).toBe(0)
  })

  test('while the service of reservations is down, every page says so, and shows later what has changed meanwhile', async () => {
    const [mina, bookid] = [fresh('mina'), await book(1)]
    const { system } = stage()
    const [reservation] = system.processes.reservation
    const { reservationid } = await reserveAndWait(system.reservation, await book(1), mina)
    const live = await windowOf(mina)
    await live.goto('/me')
    await eventually(async () => (await stage().metric('bookreservation_http_requests_held')) > 0)
    await reservation!.kill()
    await hold(reservationid, { status: 'Ready' })
    const page = await windowOf(fresh('mina'), { allowed: /503/ })
    for (const path of ['/', '/me', `/book/${bookid}`]) {
      await page.goto(path)
      await page.getByRole('alert').getByText('cannot be reached right now').waitFor()
    }
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('Momo')
    await page.getByRole('button', { name: 'Reserve' }).click()
    await page.getByRole('heading', { name: 'Try again in a moment' }).waitFor()
    await reservation!.start()
    // Sends the form once more.
    await page.reload()
    await badge(page, 'Reserved').waitFor()
    await badge(live, 'Ready to collect').waitFor()
  })

  test('a double click, a reload and the back button reserve once', async () => {
    const userid = fresh('mina')
    const bookid = await book(5)
    const page = await windowOf(userid)
    await page.goto(`/book/${bookid}`)
    await page.getByRole('button', { name: 'Reserve' }).dblclick()
    await badge(page, 'Reserved').waitFor()
    await page.reload()
    await badge(page, 'Reserved').waitFor()
    expect(await reservationsOf(userid)).toHaveLength(1)
    // The form with the key of the first time, as a browser keeps it.
    const sent = new URLSearchParams({ key: crypto.randomUUID() })
    const post = () =>
      fetch(`${stage().url}/book/${bookid}/reserve`, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'sec-fetch-site': 'same-origin', cookie: `as=customer:${userid}` },
        body: sent,
      })
    const places = await Promise.all(
      [post(), post(), post()].map(async (it) => (await it).headers.get('location')),
    )
    expect(new Set(places).size).toBe(1)
    expect(await reservationsOf(userid)).toHaveLength(2)
    await page.goBack()
    await page.getByRole('link', { name: 'Reserved' }).click()
    expect(await reservationsOf(userid)).toHaveLength(2)
  })

  test("another customer's reservation does not exist, and cannot be canceled", async () => {
    const { system } = stage()
    const { reservationid } = await reserveAndWait(system.reservation, await book(1), fresh('mina'))
    const page = await windowOf(fresh('mallory'), { allowed: /404/ })
    expect((await page.goto(`/me/${reservationid}`))!.status()).toBe(404)
    const headers = { 'sec-fetch-site': 'same-origin', cookie: 'as=customer:mallory' }
    const canceled = await fetch(`${stage().url}/me/${reservationid}/cancel`, { method: 'POST', headers })
    expect(canceled.status).toBe(404)
  })

  test('a whole visit by keyboard: from the search to a cancellation, with the focus where it belongs', async () => {
    const bookid = await book(1)
    const page = await windowOf(fresh('mina'))
    const focused = () =>
      page.evaluate(() => document.activeElement?.textContent?.trim().replaceAll(/\s+/g, ' ') ?? '')
    const tabTo = async (text: string) => {
      for (let i = 0; i < 40 && !(await focused()).startsWith(text); i++) await page.keyboard.press('Tab')
      expect(await focused()).toContain(text)
    }
    await page.goto('/')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.type(bookid)
    await page.keyboard.press('Enter')
    await page.waitForURL(/q=book/)
    await tabTo('Momo')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/book\//)
    await tabTo('Reserve')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/me\//)
    await tabTo('Cancel')
    await page.keyboard.press('Enter')
    await tabTo('Yes, cancel it')
    await page.keyboard.press('Enter')
    await page.waitForURL(/said=canceled/)
    // The row that has changed.
    expect(await focused()).toContain('Canceled')
  })

  test('a deadline can be put into a calendar', async () => {
    const userid = fresh('mina')
    const { system } = stage()
    const title =
      '모모, 그리고 시간을 훔치는 도둑들과 도둑맞은 시간을 인간에게 찾아 주는 한 아이에 대한 이상한 이야기'
    const { reservationid } = await reserveAndWait(system.reservation, await book(1, title), userid)
    await hold(reservationid, { status: 'Ready' })
    const page = await windowOf(userid)
    await page.goto(`/me/${reservationid}`)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Add to my calendar' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('pickup.ics')
  })
}
