import { expect, test } from 'vitest'
import { amountsOf } from './amounts.ts'

test('a span of time is in its largest unit', () => {
  const { lasted } = amountsOf('en')
  expect([0.4, 1, 59.9, 60, 7_199, 90_000].map(lasted)).toEqual([
    '0 seconds',
    '1 second',
    '59 seconds',
    '1 minute',
    '1 hour',
    '1 day',
  ])
  expect(amountsOf('ko').lasted(200)).toBe('3분')
})
