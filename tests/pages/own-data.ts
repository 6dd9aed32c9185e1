/** A customer's own data: how they are notified, their export, and their erasure. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { reserveAndWait } from '../harness/acts.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom } from './stock-room.ts'

export function ownData(stage: () => Stage): void {
  const windowOf = (userid: string, allowed: RegExp) =>
    stage().window({ allowed, as: { userid, role: 'customer' } })

  test('settings are saved, and what is wrong is explained beside its field', async () => {
    const page = await windowOf(fresh('mina'), /422/)
    await page.goto('/me/settings')
    await page.getByLabel('E-mail', { exact: true }).fill('mina@')
    await page.getByRole('button', { name: 'Save' }).click()
    const email = page.getByLabel('E-mail', { exact: true })
    expect(await email.getAttribute('aria-invalid')).toBe('true')
    expect(await email.inputValue()).toBe('mina@')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('alert')
    await email.fill('mina@example.com')
    await page.getByLabel('Choice 1').selectOption('email')
    await page.getByLabel('한국어').check()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('status').getByText('Your settings are saved.').waitFor()
    expect(await email.inputValue()).toBe('mina@example.com')
    expect(await page.getByLabel('Choice 1').inputValue()).toBe('email')
    expect(await page.getByLabel('한국어').isChecked()).toBe(true)
  })

  test('a customer downloads what is kept, and is erased once nothing is active', async () => {
    const userid = fresh('mina')
    const { system } = stage()
    const bookid = fresh('book')
    await new StockRoom(stage).receive(bookid, 1)
    const { reservationid } = await reserveAndWait(system.reservation, bookid, userid)
    const page = await windowOf(userid, /409|422/)
    await page.goto('/me/settings')
    await page.getByRole('link', { name: 'Export or erase my data' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download my reservations' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('reservations.json')
    expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toMatchObject({
      userid,
      reservations: [{ reservationid, bookid, status: 'Reserved' }],
    })
    const erase = () => page.getByRole('button', { name: 'Erase' }).click()
    await erase()
    await page.getByRole('alert').getByText('Tick the box to confirm.').waitFor()
    await page.getByLabel('Yes, erase my data').check()
    await erase()
    await page.getByRole('alert').getByText('You still have reservations').waitFor()
    await system.reservation.patch(`/reservations/${reservationid}`, { status: 'Canceled' })
    await eventually(async () => {
      await page.getByLabel('Yes, erase my data').check()
      await erase()
      return await page.getByRole('status').getByText('Your data is erased.').isVisible()
    })
    const { body } = await system.reservation.get(`/reservations?userid=${userid}`)
    expect(body).toMatchObject({ _embedded: { reservations: [] } })
  })
}
