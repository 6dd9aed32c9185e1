/** Operators' pages: partitions and backlog, dead letters, notices and alerts. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { StockCommand } from '../../actors/messages.ts'
import { eventually } from '../doubles/eventually.ts'
import { WebhookSink } from '../doubles/webhook-sink.ts'
import { receive, reserveAndWait, stockOf } from '../harness/acts.ts'
import { fieldsOf, Producer } from '../harness/producer.ts'
import { alertToken, type Stage, type WindowOptions } from './stage.ts'

const operator = { userid: 'ops', role: 'operator' }

let count = 0
const fresh = (name: string) => `${name}-${++count}`

type Letters = { _embedded: { deadLetters: { letterid: string; reason: string }[] } }

export function operators(stage: () => Stage): void {
  const windowOf = (options: WindowOptions = {}) => stage().window({ ...options, as: operator })

  const lettersOf = async (bookid: string) => {
    const { body } = await stage().system.stock.get<Letters>(`/dead-letters?bookid=${bookid}`)
    return body._embedded.deadLetters
  }

  /** Sends commands that stock cannot store as long as the returned function was not called. */
  async function unfit(bookid: string, commands: number): Promise<() => Promise<void>> {
    const { system } = stage()
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
    await eventually(async () => (await lettersOf(bookid)).length === commands)
    return async () => void (await system.sql`alter table stock.hold drop constraint ${system.sql(name)}`)
  }

  describe.each([true, false])('with scripts: %s,', (javaScriptEnabled) => {
    test('a dead letter is seen, opened, fails again with its reason, and has its effect once when it is redriven', async () => {
      const bookid = fresh('unfit')
      const mend = await unfit(bookid, 1)
      const page = await windowOf({ javaScriptEnabled, allowed: /404/ })
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
  })

  test('a redrive of what a page showed before the letter failed again does nothing, and says why', async () => {
    const bookid = fresh('stale')
    const mend = await unfit(bookid, 1)
    const [letter] = await lettersOf(bookid)
    const page = await windowOf()
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
    const mend = await unfit(bookid, 3)
    await mend()
    const page = await windowOf({ javaScriptEnabled: false })
    await page.goto(`/ops/letters?bookid=${bookid}`)
    await page.getByRole('row').filter({ hasText: bookid }).first().getByRole('link').nth(1).click()
    await page.waitForURL(/reason=/)
    await page.getByRole('button', { name: 'Handle all messages of this list again' }).click()
    await page.getByRole('status').getByText('3 messages will be handled again.').waitFor()
    await eventually(async () => (await lettersOf(bookid)).length === 0)
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
      const letters = await lettersOf(bookid)
      return letters.length > 0 && letters
    })
    const page = await windowOf({ javaScriptEnabled: false, allowed: /404/ })
    await page.goto(`/ops/letters/stock/${letter!.letterid}`)
    await page.getByRole('link', { name: 'Drop it' }).click()
    await page.getByRole('heading', { name: 'Drop this message?' }).waitFor()
    expect(await lettersOf(bookid)).toHaveLength(1)
    await page.getByRole('button', { name: 'Yes, drop it' }).click()
    await page.getByRole('status').getByText('The message is dropped.').waitFor()
    expect(await lettersOf(bookid)).toEqual([])
    const again = await fetch(`${stage().url}/ops/letters/stock/${letter!.letterid}/drop`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'sec-fetch-site': 'same-origin', cookie: 'as=operator:ops' },
    })
    expect([again.status, again.headers.get('location')]).toEqual([303, '/ops/letters?said=letterGone'])
    expect((await page.goto(`/ops/letters/stock/${letter!.letterid}`))!.status()).toBe(404)
    await page.getByText('It is no longer a dead letter').waitFor()
  })

  test('a notice that was given up shows what the receiver answered, and is sent again or not at all', async () => {
    const { system } = stage()
    const userid = fresh('hana')
    await using sink = await WebhookSink.start()
    sink.answer = (_, response) => response.writeHead(410).end()
    const contact = { email: null, phone: null, webhook: sink.url, locale: 'en', channels: ['webhook'] }
    await system.notifier.put(`/customers/${userid}`, contact)
    await receive(system, fresh('book'), 1)
    await reserveAndWait(system.reservation, `book-${count}`, userid)
    const page = await windowOf()
    await eventually(async () => {
      await page.goto(`/ops/notices?userid=${userid}&status=Failed`)
      return (await page.getByRole('row').count()) === 2
    })
    expect(await page.getByLabel('Status').inputValue()).toBe('Failed')
    await page.getByRole('table').getByRole('link').click()
    await page.getByRole('heading', { name: 'Notice: Reserved' }).waitFor()
    expect(await page.getByRole('table').textContent()).toContain('HTTP 410')
    await page.getByRole('button', { name: 'Do not send' }).click()
    await page.getByRole('status').getByText('The notice will not be sent.').waitFor()
    sink.answer = (_, response) => response.writeHead(200).end()
    await page.getByRole('button', { name: 'Try again' }).dblclick()
    await page.locator('#notice .badge', { hasText: /^Sent$/ }).waitFor()
    expect(await page.getByRole('table').textContent()).toContain('HTTP 200')
    expect(await page.getByRole('row').count()).toBe(3)
    expect(sink.hooks).toHaveLength(2)
  })

  test('partitions are shown live, and stock is missing while it is stopped', async () => {
    const page = await windowOf()
    await page.goto('/ops')
    const stock = page.getByRole('region', { name: 'Stock' })
    await stock.getByText('Ready', { exact: true }).waitFor()
    const table = page.getByRole('table', { name: 'Stock: partitions' })
    expect(await table.getByRole('row').count()).toBe(1 + stage().system.partitions)
    const [process] = stage().system.processes.stock
    await process!.stop()
    await stock.getByText('Not ready').waitFor()
    await page.getByRole('alert').getByText('The stock service cannot be reached').waitFor()
    await page.getByRole('table', { name: 'Reservations: partitions' }).waitFor()
    await page.goto('/ops/letters')
    await page.getByRole('alert').getByText('The stock service cannot be reached').waitFor()
    await page.goto('/ops')
    await process!.start()
    await stock.getByText('Ready', { exact: true }).waitFor()
    await table.waitFor()
    await page.getByRole('alert').getByText('cannot be reached').waitFor({ state: 'detached' })
  })

  test('alerts are shown, those that fire before past ones', async () => {
    const page = await windowOf({ javaScriptEnabled: false })
    await postAlerts(stage())
    await page.goto('/ops/alerts')
    await page.getByRole('table', { name: 'Firing' }).getByText('MailboxLags').waitFor()
    await page.getByRole('table', { name: 'Past' }).getByText('NoticesWait').waitFor()
    expect(await page.getByRole('link', { name: 'Runbook' }).count()).toBe(1)
    expect(await page.getByRole('link', { name: 'Rule' }).count()).toBe(0)
  })

  test('only operators see these pages', async () => {
    const page = await stage().window({ as: { userid: 'mina', role: 'customer' }, allowed: /403/ })
    await page.goto('/')
    expect(await page.getByRole('link', { name: 'Operations' }).count()).toBe(0)
    for (const path of ['/ops', '/ops/letters', '/ops/notices', '/ops/alerts', '/ops/stream'])
      expect((await page.goto(path))!.status(), path).toBe(403)
    const own = await windowOf()
    await own.goto('/')
    await own.getByRole('link', { name: 'Dead letters' }).click()
    await own.waitForURL('/ops/letters')
  })
}

/** Posts an alert that fires, and a past one. */
export async function postAlerts({ system }: Stage): Promise<void> {
  const alert = (name: string, some: object) => ({
    labels: { alertname: name, severity: 'page', service: 'stock' },
    startsAt: '2026-11-29T08:00:00Z',
    generatorURL: 'javascript:alert(1)',
    ...some,
  })
  const alerts = [
    alert('MailboxLags', {
      status: 'firing',
      annotations: {
        summary: 'Stock lags behind its mailbox',
        description: 'Partition 3 of stock has 12000 messages that are not committed.',
        runbook_url: 'https://library.example/runbook#lag',
      },
    }),
    alert('NoticesWait', { status: 'resolved', annotations: {}, endsAt: '2026-11-29T09:00:00Z' }),
  ]
  const headers = { authorization: `Bearer ${alertToken}` }
  const { status } = await system.notifier.post('/alerts', { version: '4', alerts }, { headers })
  expect(status).toBe(200)
}
