import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { datesOf } from './dates.ts'

beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-12-28T03:00:00Z') }))
afterEach(() => void vi.useRealTimers())

const kinds = ['at', 'happened', 'short', 'day'] as const
/** It is 2027 in Seoul. */
const newYear = '2026-12-31T15:30:00Z'

test.each(['en', 'ko'] as const)('a time of another year has its year, in %s', (locale) => {
  const seoul = datesOf(locale, 'Asia/Seoul')
  for (const kind of kinds) {
    expect(String(seoul[kind](newYear)), kind).toMatch(/>.*2027.*</)
    expect(String(seoul[kind]('2025-12-30T03:00:00Z')), kind).toMatch(/>.*2025.*</)
  }
})

test('a time of this year has none, where it did not happen long ago', () => {
  const there = datesOf('en', 'America/New_York')
  expect(String(there.at(newYear))).toContain('>Thursday, December 31 at 10:30<')
  expect(String(there.short(newYear))).toContain('>Thu, Dec 31, 10:30<')
  expect(String(there.day(newYear))).toContain('>Thursday, December 31<')
})
