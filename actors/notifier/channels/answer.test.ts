import { expect, test } from 'vitest'
import { judge, retryAfterMs, shown } from './answer.ts'
import type { Answer } from './caller.ts'

/** The receiver's clock. */
const date = 'Fri, 02 Jan 2026 03:04:05 GMT'
const answer = (status: number, retryAfter?: string): Answer => ({
  status,
  headers: { date, 'retry-after': retryAfter },
  body: Promise.resolve(''),
})

test.each([
  [200, 'sent', undefined],
  [202, 'sent', undefined],
  [204, 'sent', undefined],
  [301, 'failed', undefined],
  [302, 'retry', false],
  [307, 'retry', false],
  [308, 'failed', undefined],
  [400, 'failed', undefined],
  [401, 'failed', undefined],
  [404, 'failed', undefined],
  [408, 'retry', false],
  [410, 'failed', undefined],
  [413, 'failed', undefined],
  [425, 'retry', false],
  [429, 'retry', false],
  [500, 'retry', true],
  [502, 'retry', true],
  [503, 'retry', true],
  [504, 'retry', true],
])('an answer of %i means %s', (status, type, down) => {
  const tried = judge(answer(status), 'The webhook')
  expect(tried.outcome).toMatchObject({ type, answer: `HTTP ${status}` })
  expect(tried.down).toBe(down)
})

test.each([
  ['120', 120_000],
  ['0', 0],
  ['Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
  ['Friday, 02-Jan-26 03:05:05 GMT', 60_000],
  ['Fri Jan  2 03:05:05 2026', 60_000],
  ['Thu, 01 Jan 2026 00:00:00 GMT', 0],
  ['99999999999', 86_400_000],
  ['Fri, 02 Jan 2099 03:05:05 GMT', 86_400_000],
  ['-5', undefined],
  ['soon', undefined],
  ['Fri, 99 Foo 2026 03:05:05 GMT', undefined],
  [undefined, undefined],
])('a Retry-After of %s is %s ms', (header, ms) => {
  expect(retryAfterMs(header, date)).toBe(ms)
  expect(judge(answer(503, header), 'The webhook').outcome).toMatchObject({ afterMs: ms })
})

test('a Retry-After date is ignored if the answer has no Date', () => {
  expect(retryAfterMs('Fri, 02 Jan 2026 03:05:05 GMT', undefined)).toBeUndefined()
  expect(retryAfterMs('120', undefined)).toBe(120_000)
})

test("a receiver's answer is shown in one short line, without addresses and URLs", () => {
  expect(shown('no such\r\n\u202e user  a@b.example, see https://x.example/token?k=secret')).toBe(
    'no such user a***@b.example, see [URL]',
  )
  expect(shown('x'.repeat(10_000))).toHaveLength(200)
})
