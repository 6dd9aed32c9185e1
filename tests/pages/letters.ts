/** Operators' pages of dead letters: they are opened, redriven and dropped. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockCommand } from '../../actors/messages.ts'
import { eventually } from '../doubles/eventually.ts'
import { receive, stockOf } from '../harness/acts.ts'
import { fieldsOf, Producer } from '../harness/producer.ts'
import type { Stage } from './stage.ts'

const operator = { userid: 'ops', role: 'operator' }

let count = 0
const fresh = (name: string) => `${name}-${++count}`

type Letters = { _embedded: { deadLetters: { letterid: string; reason: string }[] } }

async function lettersOf({ system }: Pick<Stage, 'system'>, bookid: string) {
  const { body } = await system.stock.get<Letters>(`/dead-letters?bookid=${bookid}`)
  return body._embedded.deadLetters
}

/** Sends commands that stock cannot store as long as the returned function was not called. */
async function unfit(
  { system }: Pick<Stage, 'system'>,
  bookid: string,
  commands: number,
): Promise<() => Promise<void>> {
  await receive(system, bookid, 5)
  const name = `fit_${++count}`
  await system.sql`alter table stock.hold add constraint ${system.sql(name)} check (userid not like 'unfit-%') not valid`
  await using producer = new Producer(system)
  const command = (_: unknown, i: number): StockCommand => ({
    type: 'ReserveCopy',
    bookid,
    userid: `unfit-${i}`,
    reservationid: randomUUID(),
  })
  await producer.send(...Array.from({ length: commands }, command))
  await eventually(async () => (await lettersOf({ system }, bookid)).length === commands)
  return async () => void (await system.sql`alter table stock.hold drop constraint ${system.sql(name)}`)
}

export function redriving(stage: () => Stage, javaScriptEnabled: boolean): void {
  test(`with scripts: ${javaScriptEnabled}, a dead letter is seen, opened, fails again with its reason, and has its effect once when it is redriven`, async () => {
    const bookid = fresh('unfit')
    const mend = await unfit(stage(), bookid, 1)
    const page = await stage().window({ as: operator, javaScriptEnabled, allowed: /404/ })
    await page.goto('/ops/letters')
    expect(await page.getByRole('main').textContent()).not.toContain('reservationid')
    const row = page.getByRole('row').filter({ hasText: bookid })
    expect(await row.textContent()).toContain('ReserveCopy')
    await row.getByRole('link').first().click()
    await page.getByRole('heading', { name: 'Dead letter: ReserveCopy' }).waitFor()
    expect(await page.getByRole('main').textContent()).not.toContain('reservationid')
    await page.getByRole('link', { name: 'Show the content' }).click()
    await page.getByRole('region', { name: 'Content' }).getByText('reservationid').waitFor()

    const again = page.getByRole('button', { name: 'Handle it again' })
    await again.click()
    await page.getByText('handled again within seconds').waitFor()
    if (!javaScriptEnabled) {
      await eventually(async () => {
        await page.reload()
        return await again.isVisible()
      })
    }
    await again.waitFor()
    await mend()
    await again.dblclick()
    const gone = page.getByText('It is no longer a dead letter')
    if (!javaScriptEnabled) {
      await eventually(async () => {
        await page.reload()
        return (await gone.count()) > 0
      })
    }
    await gone.first().waitFor()
    expect(await stockOf(stage().system, bookid)).toMatchObject({ qty: 4, held: 1 })
  })
}

export function letters(stage: () => Stage): void {
  test('a redrive of what a page showed before the letter failed again does nothing, and says why', async () => {
    const bookid = fresh('stale')
    const mend = await unfit(stage(), bookid, 1)
    const [letter] = await lettersOf(stage(), bookid)
    const page = await stage().window({ as: operator })
    const path = `/ops/letters/stock/${letter!.letterid}`
    await page.goto(path)
    await stage().system.sql`
      update stock.dead_letter set at = clock_timestamp() where position = ${letter!.letterid.split('-').slice(1).join('-')}`
    await page.getByRole('button', { name: 'Handle it again' }).click()
    await page.getByRole('status').getByText('Nothing was done').waitFor()
    await stage().system.sql`
      update stock.dead_letter set fields = '{}' where position = ${letter!.letterid.split('-').slice(1).join('-')}`
    await page.getByRole('button', { name: 'Handle it again' }).click()
    await page.getByRole('status').getByText('its content could not be kept').waitFor()
    expect(await page.getByRole('button', { name: 'Handle it again' }).count()).toBe(0)
    await page.getByText('Content lost').waitFor()
    await mend()
    await stage().system.stock.ask('DELETE', `/dead-letters/${letter!.letterid}`)
  })

  test('all letters of a reason are redriven together', async () => {
    const bookid = fresh('alike')
    const mend = await unfit(stage(), bookid, 3)
    await mend()
    const page = await stage().window({ as: operator, javaScriptEnabled: false })
    await page.goto(`/ops/letters?bookid=${bookid}`)
    await page.getByRole('row').filter({ hasText: bookid }).first().getByRole('link').nth(1).click()
    await page.waitForURL(/reason=/)
    await page.getByRole('button', { name: 'Handle all again' }).click()
    await page.getByRole('status').getByText('3 messages will be handled again.').waitFor()
    await eventually(async () => (await lettersOf(stage(), bookid)).length === 0)
    expect(await stockOf(stage().system, bookid)).toMatchObject({ qty: 2, held: 3 })
  })

  test('a letter is dropped after a confirmation, once', async () => {
    const { system } = stage()
    const bookid = fresh('dropped')
    await using producer = new Producer(system)
    const [, message] = fieldsOf({ type: 'ReserveCopy', bookid, userid: 'u', reservationid: randomUUID() })
    await producer.redis.xadd(
      producer.mailboxOf(bookid),
      '*',
      'cloudevents',
      message!.replace('ReserveCopy', 'BurnCopies'),
    )
    const [letter] = await eventually(async () => {
      const letters = await lettersOf(stage(), bookid)
      return letters.length > 0 && letters
    })
    const page = await stage().window({ as: operator, javaScriptEnabled: false, allowed: /404/ })
    await page.goto(`/ops/letters/stock/${letter!.letterid}`)
    await page.getByRole('link', { name: 'Drop it' }).click()
    await page.getByRole('heading', { name: 'Drop this message?' }).waitFor()
    expect(await lettersOf(stage(), bookid)).toHaveLength(1)
    await page.getByRole('button', { name: 'Yes, drop it' }).click()
    await page.getByRole('status').getByText('The message is dropped.').waitFor()
    expect(await lettersOf(stage(), bookid)).toEqual([])
    const again = await fetch(`${stage().url}/ops/letters/stock/${letter!.letterid}/drop`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'sec-fetch-site': 'same-origin', cookie: 'as=operator:ops' },
    })
    expect([again.status, again.headers.get('location')]).toEqual([303, '/ops/letters?said=letterGone'])
    expect((await page.goto(`/ops/letters/stock/${letter!.letterid}`))!.status()).toBe(404)
    await page.getByText('It is no longer a dead letter').waitFor()
  })
}
