import { expect, test } from 'vitest'
import { Pulse } from '../../streams/pulse.ts'
import { range } from '../../streams/testing/runtime.ts'
import { createMetrics } from '../metrics.ts'
import { mountHealth } from './health.ts'
import { Liveness } from './liveness.ts'
import { type ProblemBody, serveBench } from './testing/bench.ts'

async function serveHealth() {
  const clock = { now: 0 }
  const pulses = [new Pulse('mailbox', () => clock.now), new Pulse('resend', () => clock.now)]
  const stopping = new AbortController()
  const service = { ready: async () => {}, reach: async () => {} }
  const liveness = new Liveness({
    pulses: () => pulses,
    loopLimitMs: 1_000,
    reach: () => service.reach(),
    now: () => clock.now,
  })
  const bench = await serveBench({
    mount: (app) =>
      mountHealth(app, {
        liveness,
        ready: () => service.ready(),
        stopping: stopping.signal,
        metrics: createMetrics('health'),
      }),
  })
  const get = async (path: string) => {
    const response = await fetch(bench.url + path)
    return { status: response.status, body: (await response.json()) as ProblemBody }
  }
  return {
    clock,
    pulses,
    liveness,
    stopping,
    service,
    bench,
    get,
    [Symbol.asyncDispose]: bench[Symbol.asyncDispose],
  }
}

test('livez fails when a loop hangs, and names it', async () => {
  await using health = await serveHealth()
  health.clock.now = 1_000
  expect((await health.get('/livez')).status).toBe(200)
  health.clock.now = 1_500
  health.pulses[1]!.beat()
  const { status, body } = await health.get('/livez')
  expect(status).toBe(503)
  expect(body.type).toBe('/problems/loop-hung')
  expect(body.detail).toBe('mailbox has been silent for 1500 ms')
  health.pulses[0]!.beat()
  expect((await health.get('/livez')).status).toBe(200)
})

test('livez fails while a loop keeps failing although the stores are reachable', async () => {
  await using health = await serveHealth()
  const [mailbox, resend] = health.pulses
  const turn = async (ms: number) => {
    health.clock.now += ms
    mailbox!.fail(new Error('Command timed out'))
    resend!.beat()
    await health.liveness.look()
  }
  await turn(0)
  for (const _ of range(3)) {
    await turn(500)
    if (health.clock.now <= 1_000) expect((await health.get('/livez')).status).toBe(200)
  }
  const { status, body } = await health.get('/livez')
  expect(status).toBe(503)
  expect(body.detail).toBe('mailbox has kept failing for 1500 ms, although the stores accept new connections')
  mailbox!.beat()
  expect((await health.get('/livez')).status).toBe(200)
})

test('loops that fail because a store is unreachable or refuses do not fail livez', async () => {
  await using health = await serveHealth()
  const [mailbox, resend] = health.pulses
  const refusal = Object.assign(new Error("OOM command not allowed when used memory > 'maxmemory'"), {
    name: 'ReplyError',
  })
  for (const _ of range(5)) {
    health.clock.now += 500
    mailbox!.fail(refusal)
    resend!.beat()
    await health.liveness.look()
  }
  expect((await health.get('/livez')).status).toBe(200)
  health.service.reach = () => Promise.reject(new Error('down'))
  for (const _ of range(5)) {
    health.clock.now += 500
    for (const pulse of health.pulses) pulse.fail(new Error('Connection is closed'))
    await health.liveness.look()
  }
  expect((await health.get('/livez')).status).toBe(200)
  // The store is back: the loop gets the usual time to recover.
  health.service.reach = async () => {}
  await health.liveness.look()
  expect((await health.get('/livez')).status).toBe(200)
})

test('livez calls no dependency', async () => {
  await using health = await serveHealth()
  health.service.ready = () => Promise.reject(new Error('down'))
  expect((await health.get('/livez')).status).toBe(200)
  expect((await health.get('/readyz')).status).toBe(503)
})

test('readyz answers within its limit although the database does not', async () => {
  await using health = await serveHealth()
  health.service.ready = () => new Promise(() => {})
  const { status, body } = await health.get('/readyz')
  expect(status).toBe(503)
  expect(body.type).toBe('/problems/not-ready')
})

test('readyz fails as soon as the service begins to stop', async () => {
  await using health = await serveHealth()
  expect((await health.get('/readyz')).status).toBe(200)
  health.stopping.abort()
  expect((await health.get('/readyz')).status).toBe(503)
  expect((await health.get('/livez')).status).toBe(200)
})

test('metrics are in the text format of Prometheus', async () => {
  await using health = await serveHealth()
  const response = await fetch(`${health.bench.url}/metrics`)
  expect(response.headers.get('content-type')).toContain('text/plain')
  expect(await response.text()).toContain('process_resident_memory_bytes')
})
