import { expect, test } from 'vitest'
import { isOver, remindAt } from './reminder.ts'

test.each([
  ['in Seoul', 'Asia/Seoul', '2026-11-30T09:00:00.000Z', '2026-11-29T09:00:00.000Z'],
  ['over the end of a year', 'Asia/Seoul', '2027-01-01T09:00:00.000Z', '2026-12-31T09:00:00.000Z'],
  ['over a leap day', 'Asia/Seoul', '2028-03-01T09:00:00.000Z', '2028-02-29T09:00:00.000Z'],
  ['after a night of 23 hours', 'America/New_York', '2026-03-08T22:00:00.000Z', '2026-03-07T23:00:00.000Z'],
  ['after a night of 25 hours', 'America/New_York', '2026-11-01T23:00:00.000Z', '2026-10-31T22:00:00.000Z'],
  ['at a time that was skipped', 'America/New_York', '2026-03-09T06:30:00.000Z', '2026-03-08T07:30:00.000Z'],
  ['at a time that came twice', 'America/New_York', '2026-11-02T06:30:00.000Z', '2026-11-01T05:30:00.000Z'],
  ['where a whole day was skipped', 'Pacific/Apia', '2011-12-31T04:00:00.000Z', '2011-12-31T04:00:00.000Z'],
])('N5: a reminder is due at the same time of day, on the day before: %s', (_, timeZone, pickupBy, at) => {
  expect(remindAt(pickupBy, undefined, timeZone)).toBe(at)
})

test('N5: nothing is due within twelve hours of the notice of the deadline', () => {
  const [pickupBy, due] = ['2026-11-30T09:00:00.000Z', '2026-11-29T09:00:00.000Z']
  const remind = (notifiedAt: string) => remindAt(pickupBy, notifiedAt, 'Asia/Seoul')
  expect(remind('2026-11-28T21:00:00.000Z')).toBe(due)
  expect(remind('2026-11-28T21:00:01.000Z')).toBeUndefined()
  expect(remind('2026-11-30T08:00:00.000Z')).toBeUndefined()
})

test('a reminder is over when its deadline has passed, but not one that an operator retries', () => {
  const details = {
    type: 'reservation',
    pickupBy: '2026-11-30T09:00:00Z',
    remindAt: '2026-11-29T09:00:00Z',
  } as const
  const dayMs = 86_400_000
  const reminder = { kind: 'reminder', details, retried: false, ageMs: dayMs - 1 } as const
  expect(isOver(reminder)).toBe(false)
  expect(isOver({ ...reminder, ageMs: dayMs })).toBe(true)
  expect(isOver({ ...reminder, ageMs: 2 * dayMs, retried: true })).toBe(false)
  expect(isOver({ ...reminder, ageMs: 2 * dayMs, kind: 'ready' })).toBe(false)
})
