/** A customer with more reservations than a page shows. */
import { isDeepStrictEqual } from 'node:util'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { reserveAndWait } from '../harness/acts.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom } from './stock-room.ts'

const many = 120

export function manyReservations(stage: () => Stage): void {
  const { receive, windowOf } = new StockRoom(stage)

  test('a customer reaches each of their active reservations, however many', {
    timeout: 90_000,
  }, async () => {
    const userid = fresh('mina')
    const { reservation } = stage().system
    const reserve = async () => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      const { reservationid } = await reserveAndWait(reservation, bookid, userid)
      return `r-${reservationid}`
    }
    const all: string[] = []
    for (let n = 0; n < many; n += 20) all.push(...(await Promise.all(Array.from({ length: 20 }, reserve))))
    const page = await stage().window({ as: { userid, role: 'customer' } })
    await page.goto('/me')
    const seen = await everyPage(page, () =>
      page.locator('main li[id^=r-]').evaluateAll((rows) => rows.map((it) => it.id)),
    )
    expect(all.filter((it) => !seen.has(it))).toEqual([])
  })

  test('staff reach each copy of a customer, however many, and see that there are more', {
    timeout: 90_000,
  }, async () => {
    const userid = fresh('mina')
    const { reservation, stock } = stage().system
    const reserve = async () => {
      const bookid = fresh('book')
      await receive(bookid, 1)
      const { reservationid } = await reserveAndWait(reservation, bookid, userid)
      return { bookid, reservationid }
    }
    const all = await Promise.all(Array.from({ length: 30 }, reserve))
    const page = await windowOf('stock-manager')
    const books = () =>
      page
        .locator('tbody th a')
        .evaluateAll((links) => links.map((it) => (it as HTMLAnchorElement).pathname.split('/').at(-1)!))
    const expected = new Set(all.map((it) => it.bookid))

    await page.goto(`/desk?scan=${userid}`)
    await page.getByRole('status').getByText('more than 25 copies to fetch').waitFor()
    expect(await everyPage(page, books)).toEqual(expected)

    for (const { reservationid } of all)
      for (const status of ['Ready', 'Collected']) await stock.patch(`/holds/${reservationid}`, { status })
    await eventually(async () => {
      await page.goto(`/return?userid=${userid}`)
      return isDeepStrictEqual(await everyPage(page, books), expected)
    })
    await page.goto(`/return?userid=${userid}`)
    await page.getByRole('status').getByText('More than 25 copies are out.').waitFor()
  })
}

/** Turns the pages of a list. @returns what is read on each. */
async function everyPage(page: Page, read: () => Promise<string[]>): Promise<Set<string>> {
  const seen = new Set<string>()
  for (;;) {
    for (const it of await read()) seen.add(it)
    const next = page.getByRole('link', { name: 'Next page' })
    if ((await next.count()) === 0) return seen
    await next.click()
    await page.waitForLoadState()
  }
}
