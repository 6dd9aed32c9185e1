import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Backoff } from './backoff.ts'
import { DeadlineError, deadline } from './deadline.ts'
import { Pulse } from './pulse.ts'
import { range } from './testing/runtime.ts'

test('a pulse is silent since its last beat', () => {
  let now = 1_000
  const pulse = new Pulse('loop', () => now)
  now += 40
  expect(pulse.silentMs).toBe(40)
  pulse.beat()
  expect(pulse.silentMs).toBe(0)
})

test('a pulse is not silent while its loop pauses, and fails from the first failed turn to the next good one', () => {
  let now = 1_000
  const pulse = new Pulse('loop', () => now)
  pulse.beat(500)
  now += 500
  expect([pulse.silentMs, pulse.failingMs]).toEqual([0, undefined])
  pulse.fail(new Error('Command timed out'))
  now += 40
  pulse.fail(new Error('Command timed out'))
  expect([pulse.silentMs, pulse.failingMs]).toEqual([0, 40])
  pulse.beat()
  expect(pulse.failingMs).toBeUndefined()
  // Redis has answered, with an error.
  pulse.fail(Object.assign(new Error('OOM'), { name: 'ReplyError' }))
  expect(pulse.failingMs).toBeUndefined()
})

test('waits double up to their limit, are at most halved by jitter, and start over after a success', () => {
  const longest = new Backoff({ initialMs: 50, maxMs: 1_000, random: () => 1 })
  expect(range(7).map(() => longest.next())).toEqual([50, 100, 200, 400, 800, 1_000, 1_000])
  longest.reset()
  expect(longest.next()).toBe(50)
  const shortest = new Backoff({ initialMs: 50, maxMs: 1_000, random: () => 0 })
  expect(range(3).map(() => shortest.next())).toEqual([25, 50, 100])
  for (const _ of range(5_000)) shortest.next()
  expect(shortest.next()).toBe(500)
})

test('a wait ends when the signal is aborted', async () => {
  const controller = new AbortController()
  const waiting = new Backoff({ initialMs: 60_000, maxMs: 60_000 }).wait(controller.signal)
  controller.abort()
  await waiting
})

test('a deadline rejects only when the promise does not settle in time', async () => {
  expect(await deadline(1_000, 'fetch', Promise.resolve(7))).toBe(7)
  await expect(deadline(1_000, 'fetch', Promise.reject(new Error('no')))).rejects.toThrow('no')
  const late = sleep(60).then(() => Promise.reject(new Error('too late')))
  const error = await deadline(10, 'fetch', late).catch((it) => it)
  expect(error).toBeInstanceOf(DeadlineError)
  expect(error.message).toBe('Cannot fetch: no answer within 10 ms')
  await late.catch(() => {})
})
