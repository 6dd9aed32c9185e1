/** One reservation, traced from its request to its notice, as a collector sees it. */
import { randomBytes } from 'node:crypto'
import * as conventions from '@opentelemetry/semantic-conventions/incubating'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import pkg from '../../package.json' with { type: 'json' }
import { type CollectedSpan, Collector } from '../../tests/doubles/collector.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { WebhookSink } from '../../tests/doubles/webhook-sink.ts'
import { receive, reserve, waitFor } from '../../tests/harness/acts.ts'
import { type System, startSystem } from '../../tests/harness/system.ts'

const runtimes = ['node', 'deno'] as const

let collector: Collector
let sink: WebhookSink
const systems: Partial<Record<(typeof runtimes)[number], System>> = {}

beforeAll(async () => {
  ;[collector, sink] = await Promise.all([Collector.open(), WebhookSink.start()])
  await Promise.all(
    runtimes.map(async (runtime) => {
      const env = {
        node: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
        deno: {
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
          OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/elsewhere`,
        },
      }
      systems[runtime] = await startSystem({ runtime, env: env[runtime] })
    }),
  )
})
afterAll(async () => {
  const faults = await Promise.all(Object.values(systems).map((it) => it.stop()))
  await Promise.all([collector?.[Symbol.asyncDispose](), sink?.[Symbol.asyncDispose]()])
  expect(faults.flat(), 'processes that did not stop cleanly').toEqual([])
})

/** As a client's tracer would make it. */
const newTrace = (sampled: boolean) => ({
  traceid: randomBytes(16).toString('hex'),
  spanid: randomBytes(8).toString('hex'),
  get traceparent() {
    return `00-${this.traceid}-${this.spanid}-0${sampled ? 1 : 0}`
  },
})
const spansOf = (traceid: string) => collector.spans.filter((it) => it.traceId === traceid)
const at = ({ startTimeUnixNano }: CollectedSpan) => BigInt(startTimeUnixNano)

describe.concurrent.each(runtimes)('on %s', (runtime) => {
  let system: System
  beforeAll(async () => {
    system = systems[runtime]!
    await system.notifier.put('/customers/reader', { webhook: sink.url })
    await receive(system, 'book', 3)
  })

  test('T1: a reservation is one trace from its request to its notices, through three services and two streams', async () => {
    const trace = newTrace(true)
    const headers = { ...waitFor(20), traceparent: trace.traceparent }
    const reservation = await reserve(system.reservation, 'book', 'reader', { headers })
    expect(reservation.status).toBe('Reserved')
    const spans = await eventually(() => {
      const spans = spansOf(trace.traceid)
      return spans.length >= 8 && spans
    })

    const one = (service: string, name: string) => {
      const found = spans.filter((it) => it.service === service && it.name === name)
      expect(found, `${service}: ${name} among ${spans.map((it) => it.name)}`).toHaveLength(1)
      return found[0]!
    }
    const request = one('reservation', 'POST /reservations')
    const accept = one('reservation', 'accept')
    const send = one('reservation', 'send stock:mailbox')
    const decided = one('stock', 'process stock:mailbox')
    const applied = one('reservation', 'process stock:events')
    const noticed = one('notifier', 'process stock:events')
    const console = one('notifier', 'notify console')
    const webhook = one('notifier', 'notify webhook')
    expect(spans).toHaveLength(8)

    expect(request.parentSpanId).toBe(trace.spanid)
    expect([accept, send].map((it) => it.parentSpanId)).toEqual([request.spanId, request.spanId])
    for (const span of [decided, applied, noticed, console, webhook])
      expect(span.parentSpanId).toBe(send.spanId)
    const inOrder = [request, accept, send, decided]
    expect(inOrder.toSorted((a, b) => Number(at(a) - at(b)))).toEqual(inOrder)
    for (const span of [applied, noticed]) expect(at(span)).toBeGreaterThanOrEqual(at(decided) - 1_000_000n)
    expect(at(webhook)).toBeGreaterThan(at(console))

    expect(request.facts).toMatchObject({ 'http.route': '/reservations', 'http.response.status_code': 201 })
    expect(accept.facts).toMatchObject({ 'bookreservation.reservationid': reservation.reservationid })
    expect(decided.facts).toMatchObject({
      'messaging.consumer.group.name': 'stock',
      'cloudevents.event_id': `${reservation.reservationid}/ReserveCopy`,
      'bookreservation.bookid': 'book',
    })
    expect(webhook.facts).toMatchObject({ 'bookreservation.kind': 'reserved' })
    // Spans do not identify the customer.
    expect(JSON.stringify(spans)).not.toContain('reader')
  })

  test('T2: work for many requests at once is a span of its own, linked both ways', async () => {
    const trace = newTrace(true)
    const headers = { ...waitFor(20), traceparent: trace.traceparent }
    await reserve(system.reservation, 'book', 'reader', { headers })
    await eventually(() => spansOf(trace.traceid).length >= 8)

    for (const [service, name, statement] of [
      ['reservation', 'accept', 'insert reservation'],
      ['stock', 'process stock:mailbox', 'process stock:mailbox'],
      ['reservation', 'process stock:events', 'process stock:events'],
      ['notifier', 'process stock:events', 'process stock:events'],
    ]) {
      const own = spansOf(trace.traceid).find((it) => it.service === service && it.name === name)!
      expect(own.links).toHaveLength(1)
      const shared = await eventually(() => collector.spans.find((it) => it.spanId === own.links[0]!.spanId))
      expect(shared.name).toBe(statement)
      expect(shared.links.map((it) => it.traceId)).toContain(trace.traceid)
      if (name === 'accept') continue
      const steps = collector.spans.filter((it) => it.parentSpanId === shared.spanId)
      expect(steps.map((it) => it.name).sort()).toEqual(
        ['commit', 'decide', 'publish stock:events'].filter(
          (it) => !it.startsWith('publish') || service === 'stock',
        ),
      )
      const commit = steps.find((it) => it.name === 'commit')!
      expect(commit.facts['db.namespace']).toBe(`${system.sql.options.database}|${service}`)
    }
  })

  test('T3: a request that is not sampled causes no span anywhere', async () => {
    const [quiet, loud] = [newTrace(false), newTrace(true)]
    await reserve(system.reservation, 'nobody-has-it', 'reader', {
      headers: { ...waitFor(20), traceparent: quiet.traceparent },
    })
    await reserve(system.reservation, 'nobody-has-it', 'reader', {
      headers: { ...waitFor(20), traceparent: loud.traceparent },
    })
    await eventually(() => spansOf(loud.traceid).length >= 8)
    expect(spansOf(quiet.traceid)).toEqual([])
  })
})

test('a collector that never answers delays nothing, and a service stops cleanly', async () => {
  collector.deaf = true
  await Promise.all(
    Object.values(systems).map(async ({ reservation, processes }) => {
      const startedAt = performance.now()
      const { status } = await reserve(reservation, 'book', 'reader', { headers: waitFor(20) })
      expect(status).toBe('Reserved')
      await processes.reservation[0]!.stop()
      expect(performance.now() - startedAt).toBeLessThan(6_000)
    }),
  )
  collector.deaf = false
})

test('spans follow the conventions of OpenTelemetry', () => {
  const known = new Set<unknown>(Object.values(conventions))
  expect(collector.spans.length).toBeGreaterThan(20)
  const names = collector.spans.flatMap(({ facts, resource }) => Object.keys({ ...facts, ...resource }))
  expect(new Set(names.filter((it) => !known.has(it) && !it.startsWith('bookreservation.')))).toEqual(
    new Set(),
  )

  const required = {
    'messaging.system': ['messaging.operation.name', 'messaging.operation.type', 'server.address'],
    'db.system.name': ['db.namespace', 'db.query.summary', 'server.address'],
    'http.request.method': ['url.scheme', 'url.path', 'http.route', 'http.response.status_code'],
    'cloudevents.event_id': ['cloudevents.event_source', 'messaging.system'],
  }
  for (const { name, facts, resource } of collector.spans) {
    for (const [key, others] of Object.entries(required))
      if (facts[key] !== undefined) expect(Object.keys(facts), name).toEqual(expect.arrayContaining(others))
    if (facts['messaging.system'])
      expect(name).toBe(`${facts['messaging.operation.name']} ${facts['messaging.destination.name']}`)
    if (facts['db.system.name']) expect(name).toBe(facts['db.query.summary'])
    expect(resource).toMatchObject({ 'service.version': pkg.version, 'telemetry.sdk.language': 'nodejs' })
  }
})

test('no span names a customer', () => {
  const paths = collector.spans.map(({ facts }) => facts['url.path']).filter((it) => it !== undefined)
  expect(paths.length).toBeGreaterThan(0)
  expect(paths).toContain('/customers/{userid}')
  expect(JSON.stringify(collector.spans.map(({ facts }) => facts))).not.toContain('/reader')
})

test('every request followed the protocol', () => {
  expect(collector.faults).toEqual([])
  expect(collector.spans.length).toBeGreaterThan(20)
})
