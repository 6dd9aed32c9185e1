/** The same source files run on Deno. */
import { expect, test } from 'vitest'
import { canceledNotice, makeOriginalCalls, noticesShown, reservedNotice } from './harness/original-calls.ts'
import { ServiceProcess } from './harness/service-process.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ runtime: 'deno' })

test("the services run on Deno and answer the predecessor's calls", async () => {
  await makeOriginalCalls(system())
  expect(await noticesShown(system(), reservedNotice, 'test1')).toBe(1)
  expect(await noticesShown(system(), canceledNotice, 'test1')).toBe(1)
})

test('the pages run on Deno: they show a book, reserve it, follow the reservation, and stop', async () => {
  const { reservation, stock, notifier } = system()
  await stock.post('/stocks', { bookid: 'momo', qty: 1, title: 'Momo' })
  const web = new ServiceProcess('web-0', {
    service: 'web',
    runtime: 'deno',
    env: { RESERVATION_URL: reservation.url, STOCK_URL: stock.url, NOTIFIER_URL: notifier.url },
  })
  await web.start()
  const headers = { cookie: 'as=customer:ann', 'sec-fetch-site': 'same-origin', 'accept-language': 'en' }
  const page = await (await fetch(`${web.url}/book/momo`, { headers })).text()
  expect(page).toContain('1 copy available')
  const [script] = /\/assets\/\w+\/site\.js/.exec(page)!
  expect((await (await fetch(web.url + script)).text()).length).toBeGreaterThan(40_000)
  const [, key] = /name="key" value="(.+?)"/.exec(page)!
  const body = new URLSearchParams({ key: key! })
  const reserved = await fetch(`${web.url}/book/momo/reserve`, { method: 'POST', headers, body })
  expect(await reserved.text()).toContain('A copy is set aside for you.')
  const stream = await fetch(`${web.url}/me/stream`, { headers })
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toContain('hx-swap-oob="outerMorph"')
  await reader.cancel()
  expect(await web.finish()).toEqual([])
})

test('a service on Deno stops cleanly on a signal, and starts again', async () => {
  const stock = system().processes.stock[0]!
  await stock.stop()
  await stock.start()
  expect((await system().stock.get('/stocks/1')).status).toBe(200)
})
