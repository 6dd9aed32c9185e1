/** A customer with more reservations than a page shows. */
import { expect, test } from 'vitest'
import { reserveAndWait } from '../harness/acts.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom } from './stock-room.ts'

const many = 120

export function manyReservations(stage: () => Stage): void {
  const { receive } = new StockRoom(stage)

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
    const seen = new Set<string>()
    for (;;) {
      for (const row of await page.locator('main li[id^=r-]').all()) seen.add((await row.getAttribute('id'))!)
      const next = page.getByRole('link', { name: 'Next page' })
      if ((await next.count()) === 0) break
      await next.click()
    }
    expect(all.filter((it) => !seen.has(it))).toEqual([])
  })
}
