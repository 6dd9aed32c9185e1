/** The traces of pages, as a collector sees them. `platform/tracing/` has those of the services. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Collector } from '../tests/doubles/collector.ts'
import { eventually } from '../tests/doubles/eventually.ts'
import { receive } from '../tests/harness/acts.ts'
import { ServiceProcess } from '../tests/harness/service-process.ts'
import { startOwnSystem } from '../tests/harness/system.ts'

test('T1, T4: what a page causes is a part of its trace, or of that which its request brought', {
  timeout: 60_000,
}, async (context) => {
  await using collector = await Collector.open()
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
  await using system = await startOwnSystem(context, { partitions: 1, env: traced })
  const urls = {
    RESERVATION_URL: system.reservation.url,
    STOCK_URL: system.stock.url,
    NOTIFIER_URL: system.notifier.url,
  }
  const pages = (['node', 'deno', 'untraced'] as const).map(
    (it) =>
      new ServiceProcess(`web-${it}`, {
        service: 'web',
        runtime: it === 'deno' ? 'deno' : 'node',
        env: it === 'untraced' ? urls : { ...urls, ...traced },
      }),
  )
  const [node, deno, untraced] = pages as [ServiceProcess, ServiceProcess, ServiceProcess]
  await Promise.all(pages.map((it) => it.start()))
  await receive(system, 'momo', 3)

  /** Sends a request with a trace. @returns its spans, once there are those of these names. */
  const trace = async (url: string, names: string[], init: RequestInit = {}) => {
    const [traceid, spanid] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
    const headers = { ...init.headers, traceparent: `00-${traceid}-${spanid}-01` }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    expect(response.status, await response.text()).toBeLessThan(400)
    const spans = await eventually(() => {
      const mine = collector.spans.filter((it) => it.traceId === traceid)
      return names.every((name) => mine.some((it) => `${it.service}: ${it.name}` === name)) && mine
    })
    const one = (name: string) => spans.find((it) => `${it.service}: ${it.name}` === name)!
    return { spanid, spans, one }
  }
  const calls = ['reservation: GET /books/{bookid}', 'stock: GET /stocks/{bookid}']

  for (const web of [node, deno]) {
    const { spanid, one } = await trace(`${web.url}/book/momo`, ['web: GET /book/:bookid', ...calls])
    const page = one('web: GET /book/:bookid')
    expect(page.parentSpanId).toBe(spanid)
    expect(page.facts).toMatchObject({ 'http.route': '/book/:bookid', 'http.response.status_code': 200 })
    for (const call of calls) expect(one(call).parentSpanId, call).toBe(page.spanId)
  }

  const reserved = await trace(
    `${node.url}/book/momo/reserve`,
    ['web: POST /book/:bookid/reserve', 'reservation: POST /reservations', 'notifier: notify console'],
    {
      method: 'POST',
      headers: { cookie: 'as=customer%3Amina', 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ key: crypto.randomUUID() }),
    },
  )
  expect(reserved.one('reservation: POST /reservations').parentSpanId).toBe(
    reserved.one('web: POST /book/:bookid/reserve').spanId,
  )

  const passed = await trace(`${untraced.url}/book/momo`, calls)
  for (const call of calls) expect(passed.one(call).parentSpanId, call).toBe(passed.spanid)
  expect(passed.spans.some((it) => it.service === 'web')).toBe(false)

  const faults = await Promise.all(pages.map((it) => it.finish()))
  expect(faults.flat(), 'processes that did not stop cleanly').toEqual([])
  expect(collector.faults).toEqual([])
})
