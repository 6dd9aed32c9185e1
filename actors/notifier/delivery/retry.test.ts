import { expect, test } from 'vitest'
import type { Outcome } from './delivery.ts'
import { type Attempt, giveUpAfterMs, markOf, retryDelayMs } from './retry.ts'

const hourMs = 3_600_000
const came = (outcome: Outcome, some: Partial<Attempt> = {}) =>
  markOf({
    notice: { seq: 7, attempts: 1 },
    channel: 'email',
    outcome,
    ageMs: 0,
    fallback: undefined,
    random: () => 0.5,
    ...some,
  })

test('the delay doubles up to an hour, and half of it is random', () => {
  const waits = [1, 2, 3, 12, 13, 40, 5_000].map((attempts) => retryDelayMs(attempts, () => 1))
  expect(waits).toEqual([1_000, 2_000, 4_000, 2_048_000, hourMs, hourMs, hourMs])
  expect(retryDelayMs(3, () => 0)).toBe(2_000)
})

test('a receiver that names a time is retried then, unless our own delay is longer', () => {
  expect(came({ type: 'retry', error: 'busy', afterMs: 120_000 })).toMatchObject({ afterMs: 120_000 })
  const fifth = { notice: { seq: 7, attempts: 5 } }
  expect(came({ type: 'retry', error: 'busy', afterMs: 10 }, fifth)).toMatchObject({ afterMs: 12_000 })
})

test('a receiver that asks for more time than is left is tried once more at its end', () => {
  const ageMs = 23 * hourMs
  const asked: Outcome = { type: 'retry', error: 'busy', afterMs: 365 * 24 * hourMs }
  expect(came(asked, { ageMs })).toMatchObject({ outcome: 'retry', afterMs: hourMs })
  expect(came(asked, { ageMs: giveUpAfterMs + 1 })).toMatchObject({
    outcome: 'failed',
    error: 'busy; gave up',
  })
})

test('a permanent refusal is not the end while there is another channel', () => {
  const refusal: Outcome = { type: 'failed', error: 'no such mailbox', answer: '550 5.1.1' }
  expect(came(refusal, { fallback: 'sms' })).toMatchObject({ outcome: 'fallback', next: 'sms', afterMs: 0 })
  expect(came(refusal)).toMatchObject({ outcome: 'failed', next: null, answer: '550 5.1.1' })
})

test('a notice that was sent is sent, however late', () => {
  expect(came({ type: 'sent', answer: '250 OK' }, { ageMs: 2 * giveUpAfterMs })).toMatchObject({
    outcome: 'sent',
    error: null,
    answer: '250 OK',
  })
})
