/** The desk: copies are handed over, reservations canceled, customers blocked. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { eventually } from '../doubles/eventually.ts'
import { Counter, isFocused, press, type Reservation, says, scan } from './counter.ts'
import { expectAccessible, type Stage } from './stage.ts'

export function desk(stage: () => Stage): void {
  const counter = new Counter(stage)
  const { newBook, reserve, ready, becomes, change, open } = counter

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

    test('takes a copy from the shelf only for the customer whose card was scanned', async () => {
      const [momo, heidi] = [await newBook('Momo'), await newBook('Heidi')]
      const [ann, ben] = [`ann-${momo.bookid}`, `ben-${momo.bookid}`]
      const own = await ready(momo.bookid, ann)
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
      await becomes(own, 'Collected')
      expect((await becomes(other, 'Ready')).status).toBe('Ready')
    })

    test('answers the last of several scans, however fast', async () => {
      const { bookid, title, isbn } = await newBook('Fast')
      const ann = `ann-${bookid}`
      await ready(bookid, ann)
      const page = await open()
      await page.goto('/desk')
      await page.route('**/desk?*', async (route) => {
        await sleep(300)
        await route.continue()
      })
      await expect.poll(() => isFocused(page, '#scanned')).toBe(true)
      for (const text of [`ben-${bookid}`, ann, isbn]) {
        await page.keyboard.type(text)
        await page.keyboard.press('Enter')
      }
      await says(page, `${title}: for ${ann}`)
      expect(await isFocused(page, '#card')).toBe(true)
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
          (await counter.system.stock.get<Reservation>(`/holds/${it.reservationid}`)).body.status ===
          'Canceled',
        { message: 'stock did not learn of it' },
      )
      await second.getByRole('button', { name: 'Hand over' }).click()
      await says(second, 'Nothing was done. The reservation is canceled.')
    })

    test('blocks a customer and ends the block', async () => {
      const { bookid, title } = await newBook('Blocked', 2)
      const ann = `ann-${bookid}`
      const { reservationid } = await ready(bookid, ann)
      const page = await open({ allowed: /409/ })
      await page.goto(`/desk?scan=${ann}`)
      await page.getByText('Block this customer').click()
      await page.getByLabel('Reason').fill('Keeps copies')
      await page.getByRole('button', { name: 'Block', exact: true }).click()
      await says(page, `${ann} is blocked.`)
      const other = (await newBook('Not blocked')).bookid
      expect(await reserve(other, ann)).toMatchObject({ status: 'Failed', reason: 'Blocked' })
      const { sql } = counter.system
      const noted = async () =>
        (await sql`select from stock.blocked_hold where reservationid = ${reservationid}`).length
      await eventually(async () => (await noted()) === 1)
      await page.getByRole('button', { name: 'Hand over' }).click()
      await says(page, 'Nothing was handed over. The customer is blocked.')
      await page.getByRole('button', { name: 'End the block' }).click()
      await says(page, `${ann} is no longer blocked.`)
      expect(await reserve(other, ann)).toMatchObject({ status: 'Reserved' })
      await eventually(async () => (await noted()) === 0)
      await page.goto(`/desk?scan=${ann}`)
      await page.getByRole('button', { name: 'Hand over' }).first().click()
      await says(page, `Handed over: ${title}`)
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
      const { body } = await counter.system.stock.get<{ out: number }>(`/stocks/${bookid}`)
      expect(body.out).toBe(1)
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

  test('what was entered is kept while a service is down', { timeout: 60_000 }, async () => {
    const page = await open({ allowed: /503/ })
    await page.goto('/desk?scan=ann-kept')
    await page.getByText('Block this customer').click()
    await page.getByLabel('Reason').fill('Keeps copies')
    const [reservation] = counter.system.processes.reservation
    reservation!.pause()
    try {
      await page.getByRole('button', { name: 'Block', exact: true }).click()
      await says(page, 'This cannot be done right now.')
      expect(await page.getByRole('alert').locator('p').count()).toBe(1)
      expect(await page.getByLabel('Reason').inputValue()).toBe('Keeps copies')
    } finally {
      reservation!.resume()
    }
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    await says(page, 'ann-kept is blocked.')
  })

  test('without stock, the desk says so and still shows the customer', async () => {
    const { bookid } = await newBook('Down')
    const it = await ready(bookid, `ann-${bookid}`)
    const page = await open({ allowed: /503/ })
    await page.goto('/desk')
    const [stock] = counter.system.processes.stock
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
