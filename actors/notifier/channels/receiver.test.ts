import { expect, test } from 'vitest'
import type { Tried } from './breaker.ts'
import { type Limits, Receiver } from './receiver.ts'

const limits: Limits = { concurrent: 3, limitMs: 1_000, breaker: { failuresMax: 2, restMs: 40 } }
const sent: Tried = { outcome: { type: 'sent' } }
const down: Tried = { outcome: { type: 'retry', error: 'ECONNREFUSED' }, down: true }
const refused: Tried = { outcome: { type: 'retry', error: 'HTTP 429' } }
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('V1: a notice beyond the limit in flight is deferred, not queued', async () => {
  const receiver = new Receiver(limits)
  const gate = Promise.withResolvers<Tried>()
  const under = [1, 2, 3].map(() => receiver.run(() => gate.promise))
  expect(receiver.capacity).toBe(3)
  expect(await receiver.run(async () => sent)).toMatchObject({ type: 'deferred' })
  gate.resolve(sent)
  expect(await Promise.all(under)).toEqual([{ type: 'sent' }, { type: 'sent' }, { type: 'sent' }])
  expect(await receiver.run(async () => sent)).toEqual({ type: 'sent' })
})

test('V3: a receiver that shares its channel has a small share until it is fast, and again when it is slow', async () => {
  let now = 0
  const receiver = new Receiver({ ...limits, concurrentAtFirst: 1 }, () => now)
  const answer = (ms: number) =>
    receiver.run(async () => {
      now += ms
      return sent
    })
  expect(receiver.capacity).toBe(1)
  for (const width of [2, 3, 3]) {
    await answer(100)
    expect(receiver.capacity).toBe(width)
  }
  await answer(4_000)
  expect(receiver.capacity).toBe(1)
  const gate = Promise.withResolvers<Tried>()
  const under = receiver.run(() => gate.promise)
  // The next attempt waits as long as the last one took.
  expect(await receiver.run(async () => sent)).toMatchObject({ type: 'deferred', afterMs: 4_000 })
  gate.resolve(sent)
  await under
})

test('an attempt has a time limit', async () => {
  const receiver = new Receiver({ ...limits, limitMs: 20 })
  const outcome = receiver.run(async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return down
  })
  expect(await outcome).toEqual(down.outcome)
})

test('V2: a receiver that is down rests, then one notice tests whether it is back', async () => {
  const receiver = new Receiver(limits)
  let tries = 0
  const fail = async () => {
    tries++
    return down
  }
  const outcomes = []
  for (let i = 0; i < 4; i++) outcomes.push((await receiver.run(fail)).type)
  expect(outcomes).toEqual(['retry', 'retry', 'deferred', 'deferred'])
  expect(tries).toBe(2)
  expect(receiver.restMs).toBeGreaterThan(0)
  await wait(receiver.restMs + 5)
  expect([receiver.restMs, receiver.capacity]).toEqual([0, 1])
  // Still down: one attempt, and another rest.
  const probe = Promise.withResolvers<Tried>()
  const probing = receiver.run(() => probe.promise)
  expect(receiver.capacity).toBe(1)
  expect(await receiver.run(fail)).toMatchObject({ type: 'deferred', error: 'The receiver is being tested' })
  probe.resolve(down)
  expect(await probing).toEqual(down.outcome)
  expect(receiver.restMs).toBeGreaterThan(0)
  // Back: deliveries continue.
  await wait(receiver.restMs + 5)
  expect(await receiver.run(async () => sent)).toEqual({ type: 'sent' })
  expect([receiver.restMs, receiver.capacity]).toEqual([0, 3])
  expect(tries).toBe(2)
})

test('a receiver that answers is not down, however often it refuses', async () => {
  const receiver = new Receiver(limits)
  for (let i = 0; i < 10; i++) expect(await receiver.run(async () => refused)).toEqual(refused.outcome)
  expect([receiver.restMs, receiver.capacity]).toEqual([0, 3])
})

test('V4: a requested rest holds for all notices, for an hour at most', async () => {
  let now = 1_000
  const receiver = new Receiver(limits, () => now)
  const later = { outcome: { ...refused.outcome, afterMs: 86_400_000 } } as Tried
  await receiver.run(async () => later)
  expect(receiver.restMs).toBe(3_600_000)
  now += 3_599_000
  expect(await receiver.run(async () => sent)).toEqual({
    type: 'deferred',
    error: 'The receiver asked to wait',
    afterMs: 1_000,
  })
  now += 1_000
  expect(await receiver.run(async () => ({ ...sent, quietMs: 500 }))).toEqual({ type: 'sent' })
  expect(receiver.restMs).toBe(500)
})

test('no more notices per second than the limit are sent, and none is lost', async () => {
  const receiver = new Receiver({ ...limits, perSecond: 20 })
  const from = performance.now()
  let count = 0
  let deferred = 0
  while (count < 30) {
    const outcome = await receiver.run(async () => sent)
    if (outcome.type === 'sent') count++
    else if (outcome.type === 'deferred') {
      deferred++
      expect(outcome.afterMs).toBeLessThanOrEqual(50)
      await wait(outcome.afterMs)
    }
  }
  // Twenty of the thirty may come in one burst.
  const took = performance.now() - from
  expect(took).toBeGreaterThan(480)
  expect(took).toBeLessThan(1_500)
  expect(deferred).toBeGreaterThan(0)
})

test('the capacity is what may be sent now', async () => {
  const receiver = new Receiver({ ...limits, perSecond: 2 })
  expect(receiver.capacity).toBe(2)
  await receiver.run(async () => sent)
  expect(receiver.capacity).toBe(1)
  await receiver.run(async () => sent)
  expect(receiver.capacity).toBe(0)
})
