/** Operators' pages: partitions and backlog, notices and alerts. `letters.ts` has dead letters. */
import { expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { WebhookSink } from '../doubles/webhook-sink.ts'
import { receive, reserveAndWait } from '../harness/acts.ts'
import { alertToken, type Stage, type WindowOptions } from './stage.ts'

const operator = { userid: 'ops', role: 'operator' }

let count = 0
const fresh = (name: string) => `${name}-${++count}`

export function operators(stage: () => Stage): void {
  const windowOf = (options: WindowOptions = {}) => stage().window({ ...options, as: operator })

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
    await stock.getByText(/^\d+ messages a second$/).waitFor()
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
