import { expect, test } from 'vitest'
import { unknownBook } from './book.ts'
import { presets } from './rules.ts'
import { surroundingsAt } from './surroundings.ts'

const calendar = {
  timeZone: 'Asia/Seoul',
  closingTime: '18:00',
  closedWeekdays: [1],
  closedDates: new Set(['2026-12-04']),
}
const at = surroundingsAt(new Date('2026-12-02T10:00+09:00'), presets.library, calendar)

test('a book has its own rules, or those of the installation', () => {
  const book = unknownBook('b')
  expect(at.rulesOf(book)).toBe(presets.library)
  expect(at.rulesOf({ ...book, rules: { pickupDays: 5 } })).toEqual({ ...presets.library, pickupDays: 5 })
})

test('deadlines count open days, waits end after whole days, and without rules neither ends', () => {
  for (let again = 0; again < 2; again++) {
    expect(at.pickupBy(presets.library)).toBe('2026-12-06T09:00:00.000Z')
    expect(at.pickupBy(presets.bookshop)).toBe('2026-12-11T09:00:00.000Z')
  }
  expect(at.lapsesAt(presets.library)).toBe('2027-03-02T01:00:00.000Z')
  expect(at.pickupBy(presets.original)).toBeNull()
  expect(at.lapsesAt(presets.original)).toBeNull()
})
