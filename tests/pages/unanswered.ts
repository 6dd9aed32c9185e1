/** Pages and forms that meet what is down: `web` itself, or a service. */
import { expect, test } from 'vitest'
import type { ServiceName } from '../../platform/config.ts'
import { reserveAndWait } from '../harness/acts.ts'
import type { Stage } from './stage.ts'
import { fresh, StockRoom, scan } from './stock-room.ts'

const pages = {
  customer: ['/', '/book/{book}', '/me', '/me/settings'],
  'stock-manager': [
    '/desk?scan=mina',
    '/shelf/pull',
    '/shelf/ready',
    '/return?userid=mina',
    '/receive',
    '/receive/csv',
    '/stock',
    '/stock?q=a',
    '/stock/{book}',
    '/orders',
  ],
  purchaser: ['/wanted'],
  operator: ['/ops', '/ops/letters', '/ops/notices', '/ops/alerts'],
}
/** The pages that read a service, in that order. */
const readers = {
  reservation: [
    ...['/', '/book/{book}', '/me', '/desk?scan=mina', '/return?userid=mina', '/stock?q=a', '/ops'],
    '/ops/letters',
  ],
  stock: [
    ...['/book/{book}', '/shelf/pull', '/shelf/ready', '/stock', '/stock/{book}', '/orders', '/wanted'],
    ...['/ops', '/ops/letters'],
  ],
  notifier: ['/me/settings', '/ops', '/ops/letters', '/ops/notices', '/ops/alerts'],
}

export function unanswered(stage: () => Stage): void {
  const { windowOf, receive } = new StockRoom(stage)
  const allowed = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_CONNECTION_RESET|htmx:|502/

  test('web down takes nothing else down; open pages say so, and go on when it is back', {
    timeout: 90_000,
  }, async () => {
    const { system, web } = stage()
    const [bookid, userid] = [fresh('book'), fresh('mina')]
    await receive(bookid, 1)
    const { reservationid } = await reserveAndWait(system.reservation, bookid, userid)
    const staff = await windowOf('stock-manager', { allowed })
    await staff.goto('/receive')
    const customer = await stage().window({ as: { userid, role: 'customer' }, allowed })
    await customer.goto('/me')
    const notice = (page: typeof staff) =>
      page.getByRole('alert').filter({ hasText: 'The server cannot be reached right now' })
    await web.stop()
    await scan(staff, bookid)
    await notice(staff).waitFor()
    await notice(customer).waitFor()
    expect((await reserveAndWait(system.reservation, bookid, fresh('ann'))).status).toBe('Waiting')
    await system.stock.patch(`/holds/${reservationid}`, { status: 'Ready' })
    await web.start()
    await customer.locator('.badge', { hasText: 'Ready to collect' }).waitFor({ timeout: 30_000 })
    await expect.poll(() => notice(customer).count()).toBe(0)
    await staff.keyboard.press('Enter')
    await staff.getByText('Now 0 copies available, 2 set aside').waitFor()
    expect(await notice(staff).count()).toBe(0)
  })

  test.each(Object.entries(readers))(
    '%s down is named on the pages that read it, and on no other',
    {
      timeout: 60_000,
    },
    async (service, readers) => {
      const { system, url } = stage()
      const bookid = fresh('book')
      await receive(bookid, 1)
      const [process] = system.processes[service as ServiceName]
      await process!.stop()
      const named: string[] = []
      for (const [role, paths] of Object.entries(pages))
        for (const path of paths) {
          const response = await fetch(`${url}${path.replace('{book}', bookid)}`, {
            headers: { cookie: `as=${encodeURIComponent(`${role}:mina`)}`, 'accept-language': 'en' },
          })
          const html = await response.text()
          expect(html, path).toMatch(/<h1>.+<\/h1>/)
          const [notices] = /<div id="notices".*<\/div>/.exec(html)!
          expect([...notices.matchAll(/class="notice"/g)].length, path).toBeLessThanOrEqual(1)
          if (notices.includes('cannot be reached right now')) named.push(path)
        }
      await process!.start()
      expect(named).toEqual(readers)
    },
  )

  test('a form that met a service that was down is sent again as it was', { timeout: 60_000 }, async () => {
    const as = { userid: fresh('mina'), role: 'customer' }
    const page = await stage().window({ as, javaScriptEnabled: false, allowed: /503/ })
    await page.goto('/me/settings')
    await page.getByRole('textbox', { name: 'E-mail' }).fill('mina@example.com')
    const [notifier] = stage().system.processes.notifier
    notifier!.pause()
    try {
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('What you entered is not lost').waitFor()
    } finally {
      notifier!.resume()
    }
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('status').getByText('Your settings are saved.').waitFor()
    expect(await page.getByRole('textbox', { name: 'E-mail' }).inputValue()).toBe('mina@example.com')
  })

  test('a live page whose stream does not begin, or a proxy that answers instead, is connected later', async () => {
    const [bookid, userid] = [fresh('book'), fresh('mina')]
    await receive(bookid, 1)
    const { reservationid } = await reserveAndWait(stage().system.reservation, bookid, userid)
    const page = await stage().window({ as: { userid, role: 'customer' }, allowed })
    await page.route('**/me/stream', (route) => route.fulfill({ status: 502, body: 'Bad Gateway' }), {
      times: 1,
    })
    await page.goto('/me')
    await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor()
    await stage().system.stock.patch(`/holds/${reservationid}`, { status: 'Ready' })
    await page.locator('.badge', { hasText: 'Ready to collect' }).waitFor()
    expect(await page.getByRole('alert').textContent()).toBe('')
  })
}
