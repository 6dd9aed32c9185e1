/** A day of staff: copies are fetched, handed over and taken back, by scanner and keyboard. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { eventually, range } from '../doubles/eventually.ts'
import { waitFor } from '../harness/acts.ts'
import { expectAccessible, type Stage, type WindowOptions } from './stage.ts'

const jun = { userid: 'jun', role: 'stock-manager' }

type Reservation = { reservationid: string; status: string; pickupBy: string | null }

export function staffPages(stage: () => Stage): void {
  const open = (options: WindowOptions = {}) => stage().window({ as: jun, ...options })

  let books = 0
  /** A book with one copy, unless more are asked for. */
  async function newBook(title: string, qty = 1) {
    const bookid = `staff-${++books}`
    const isbn = isbnOf(books)
    const { status } = await stage().system.stock.post('/stocks', {
      bookid,
      qty,
      title,
      isbn,
      author: 'A. Author',
    })
    expect(status).toBe(201)
    return { bookid, title, isbn }
  }

  async function reserve(bookid: string, userid: string): Promise<Reservation> {
    const body = { bookid, userid }
    const answer = await stage().system.reservation.post<Reservation>('/reservations', body, {
      headers: waitFor(10),
    })
    return answer.body
  }

  /** Waits until the reservation service has learned of it. */
  const becomes = ({ reservationid }: Reservation, status: string) =>
    eventually(
      async () => {
        const { body } = await stage().system.reservation.get<Reservation>(`/reservations/${reservationid}`)
        return body.status === status && body
      },
      { timeoutMs: 20_000, message: `${reservationid} did not become ${status}` },
    )

  const change = ({ reservationid }: Reservation, json: object) =>
    stage().system.stock.patch(`/holds/${reservationid}`, json)

  async function ready(bookid: string, userid: string): Promise<Reservation> {
    const reservation = await reserve(bookid, userid)
    await change(reservation, { status: 'Ready' })
    return await becomes(reservation, 'Ready')
  }

  describe.each([
    { scripts: 'with scripts', javaScriptEnabled: true },
    { scripts: 'without scripts', javaScriptEnabled: false },
  ])('a copy, $scripts,', ({ javaScriptEnabled }) => {
    test('goes from its shelf to the customer and back, by scanner and Enter alone', async () => {
      const { bookid, title, isbn } = await newBook('Momo')
      const ann = `ann-${bookid}`
      const reservation = await reserve(bookid, ann)
      const ben = await reserve(bookid, `ben-${bookid}`)
      const page = await open({ javaScriptEnabled })

      await page.goto('/shelf/pull')
      await scan(page, isbn, title)
      await press(page, `On the hold shelf: ${title}`)
      expect(await answered(page)).toContain(codeOf(reservation.reservationid))
      await becomes(reservation, 'Ready')

      await page.goto('/desk')
      await scan(page, ann, `${ann}: 1 copy to hand over`)
      await press(page, `Handed over: ${title}`)
      await becomes(reservation, 'Collected')

      await page.goto('/return')
      await scan(page, isbn, `${title}: ${ann} has it`)
      await press(page, `Returned: ${title}`)
      expect(await answered(page)).toContain(codeOf(ben.reservationid))
      await becomes(ben, 'Reserved')
      await page.getByRole('button', { name: 'On the shelf' }).click()
      await says(page, `On the hold shelf: ${title}`)
      await becomes(ben, 'Ready')
    })
  })

  describe('the desk', () => {
    test('asks for the card when a code is typed, and refuses that of another customer', async () => {
      const { bookid, title } = await newBook('Heidi')
      const it = await ready(bookid, `ann-${bookid}`)
      const page = await open({ allowed: /409/ })
      await page.goto('/desk')
      await scan(page, codeOf(it.reservationid).toLowerCase(), `${title}: for ann-${bookid}`)
      const card = page.getByLabel('Card number of the customer')
      await expect.poll(() => isFocused(page, '#card')).toBe(true)
      await expectAccessible(page)
      await page.setViewportSize({ width: 1280, height: 800 })
      await card.fill(`ben-${bookid}`)
      await page.keyboard.press('Enter')
      await says(page, 'The copy is for another customer')
      await page.getByLabel('Card number of the customer').fill(`ann-${bookid}`)
      await page.keyboard.press('Enter')
      await says(page, `Handed over: ${title}`)
      await becomes(it, 'Collected')
    })

    test('takes a copy from the shelf for the customer whose card was scanned, and for nobody else', async () => {
      const [momo, heidi] = [await newBook('Momo'), await newBook('Heidi')]
      const [ann, ben] = [`ann-${momo.bookid}`, `ben-${momo.bookid}`]
      const hers = await ready(momo.bookid, ann)
      const other = await ready(heidi.bookid, ben)
      const page = await open()
      await page.goto('/desk')
      await scan(page, ann, `${ann}: 1 copy to hand over`)
      await scan(
        page,
        codeOf(other.reservationid),
        `Heidi is set aside for another customer, not for ${ann}.`,
      )
      await scan(page, momo.isbn, `Momo: for ${ann}`)
      await press(page, 'Handed over: Momo')
      await becomes(hers, 'Collected')
      expect((await becomes(other, 'Ready')).status).toBe('Ready')
    })

    test('says that a hold has expired meanwhile', async () => {
      const { bookid } = await newBook('Late')
      const it = await ready(bookid, `ann-${bookid}`)
      const page = await open({ allowed: /409/ })
      await page.goto(`/desk?scan=ann-${bookid}`)
      await change(it, { pickupBy: new Date(Date.now() + 1_000).toISOString() })
      await becomes(it, 'Expired')
      await page.getByRole('button', { name: 'Hand over' }).press('Enter')
      await says(page, 'Nothing was done. The time to collect it is over')
      expect(await page.getByRole('button', { name: 'Hand over' }).count()).toBe(0)
    })

    test('of two people who change a copy, one wins and the other sees why', async () => {
      const { bookid, title } = await newBook('Twice')
      const it = await ready(bookid, `ann-${bookid}`)
      const [first, second] = [await open(), await open({ allowed: /409/ })]
      for (const page of [first, second]) await page.goto(`/desk?scan=ann-${bookid}`)
      await first.getByText('Cancel', { exact: true }).click()
      await first.getByLabel('The library needs to').check()
      await first.getByLabel('Note to the customer').fill('The copy is torn.')
      await first.getByRole('button', { name: 'Cancel the reservation' }).click()
      await says(first, `Canceled: ${title}`)
      expect(await becomes(it, 'Canceled')).toMatchObject({ cause: 'Staff', note: 'The copy is torn.' })
      await eventually(
        async () =>
          (await stage().system.stock.get<Reservation>(`/holds/${it.reservationid}`)).body.status ===
          'Canceled',
        { message: 'stock did not learn of it' },
      )
      await second.getByRole('button', { name: 'Hand over' }).click()
      await says(second, 'Nothing was done. The reservation is canceled.')
    })

    test('blocks a customer and ends the block', async () => {
      const { bookid } = await newBook('Blocked')
      const ann = `ann-${bookid}`
      const page = await open()
      await page.goto(`/desk?scan=${ann}`)
      await page.getByText('Block this customer').click()
      await page.getByLabel('Reason').fill('Keeps copies')
      await page.getByRole('button', { name: 'Block', exact: true }).click()
      await says(page, `${ann} is blocked.`)
      expect(await reserve(bookid, ann)).toMatchObject({ status: 'Failed', reason: 'Blocked' })
      await page.getByRole('button', { name: 'End the block' }).click()
      await says(page, `${ann} is no longer blocked.`)
      expect(await reserve(bookid, ann)).toMatchObject({ status: 'Reserved' })
    })

    test('hands over once, however often the form is sent', async () => {
      const { bookid, title } = await newBook('Double')
      const it = await ready(bookid, `ann-${bookid}`)
      const page = await open({ javaScriptEnabled: false })
      await page.goto(`/desk?scan=ann-${bookid}`)
      await page.getByRole('button', { name: 'Hand over' }).dblclick()
      await says(page, `Handed over: ${title}`)
      await page.reload()
      await says(page, `Handed over: ${title}`)
      await page.goBack()
      await becomes(it, 'Collected')
      const { body } = await stage().system.stock.get<{ out: number }>(`/stocks/${bookid}`)
      expect(body.out).toBe(1)
    })
  })

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
      const { body } = await stage().system.stock.get<{ owned: number }>(`/stocks/${bookid}`)
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
      const { body } = await stage().system.stock.get<Reservation>(`/holds/${it.reservationid}`)
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
      const { reservation, stock } = stage().system
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
      expect((await stage().system.stock.get(`/stocks/${bookid}`)).body).toMatchObject({
        owned: 0,
        waiting: 1,
      })
      await becomes(next, 'Waiting')
    })
  })

  test('only staff have and see these pages', async () => {
    const page = await stage().window({ as: { userid: 'ann', role: 'customer' }, allowed: /403/ })
    for (const path of ['/desk', '/shelf/pull', '/shelf/ready', '/return']) {
      expect((await page.goto(path))!.status(), path).toBe(403)
      expect(await page.locator(`nav a[href="${path}"]`).count(), path).toBe(0)
    }
    const work = await open({ allowed: /403/ })
    await work.goto('/desk')
    for (const name of ['Desk', 'To fetch', 'Hold shelf', 'Returns'])
      expect(await work.getByRole('link', { name, exact: true }).count(), name).toBe(1)
    const value = encodeURIComponent('customer:ann')
    await work.context().addCookies([{ name: 'as', value, url: stage().url }])
    await work.keyboard.type('ann')
    await work.keyboard.press('Enter')
    await work.getByRole('heading', { name: 'This page is for others' }).waitFor()
  })

  test('without stock, the desk says so and still shows the customer', async () => {
    const { bookid } = await newBook('Down')
    const it = await ready(bookid, `ann-${bookid}`)
    const page = await open({ allowed: /503/ })
    await page.goto('/desk')
    const [stock] = stage().system.processes.stock
    stock!.pause()
    try {
      await scan(page, `ann-${bookid}`, `ann-${bookid}: 1 copy to hand over`)
      await page.keyboard.press('Enter')
      await says(page, 'This cannot be done right now.')
      expect(await page.getByRole('alert').textContent()).toContain('stock')
    } finally {
      stock!.resume()
    }
    await scan(page, `ann-${bookid}`, '')
    await becomes(it, 'Collected')
  })
}

/** A scanner types into the field that has the focus, and presses Enter. */
async function scan(page: Page, text: string, expected: string): Promise<void> {
  await expect.poll(() => isFocused(page, '#scanned'), { message: 'the field has the focus' }).toBe(true)
  expect(await page.locator('#scanned').inputValue()).toBe('')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await says(page, expected)
}

/** Enter in the empty field does the only thing that there is to do. */
async function press(page: Page, expected: string): Promise<void> {
  await expect.poll(() => isFocused(page, '#scanned'), { message: 'the field has the focus' }).toBe(true)
  await page.keyboard.press('Enter')
  await says(page, expected)
}

const isFocused = (page: Page, selector: string) =>
  page
    .locator(`${selector}:focus`)
    .count()
    .then((n) => n === 1)

const answered = (page: Page) => page.locator('#answer').textContent()

const says = (page: Page, text: string) => page.locator('[role=status]').filter({ hasText: text }).waitFor()

/** An ISBN for a number. */
function isbnOf(n: number): string {
  const start = `978${String(n).padStart(9, '0')}`
  const sum = [...start].reduce((sum, it, i) => sum + Number(it) * (i % 2 === 0 ? 1 : 3), 0)
  return start + ((10 - (sum % 10)) % 10)
}
