import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { range } from '../../tests/doubles/eventually.ts'
import { type Calendar, countedDaysMax, deadlineOf, openMsBetween } from './deadline.ts'

const everyDay = (timeZone: string, closingTime = '18:00'): Calendar => ({
  timeZone,
  closingTime,
  closedWeekdays: [],
  closedDates: new Set(),
})
/** Closed on Mondays. */
const seoul = (...closedDates: string[]): Calendar => ({
  ...everyDay('Asia/Seoul'),
  closedWeekdays: [1],
  closedDates: new Set(closedDates),
})
const newYork = (closingTime?: string) => everyDay('America/New_York', closingTime)
const berlin = (closingTime?: string) => everyDay('Europe/Berlin', closingTime)
const lordHowe = (closingTime?: string) => everyDay('Australia/Lord_Howe', closingTime)
const apia = (...closedDates: string[]) => ({
  ...everyDay('Pacific/Apia'),
  closedDates: new Set(closedDates),
})

type Row = [name: string, calendar: Calendar, now: string, pickupDays: number, deadline: string]

/** 2 December 2026 is a Wednesday. */
describe('the deadline', () => {
  test.each<Row>([
    ['counts from tomorrow', seoul(), '2026-12-02T10:00+09:00', 3, '2026-12-05T18:00+09:00'],
    ['is one day later at least', seoul(), '2026-12-02T10:00+09:00', 1, '2026-12-03T18:00+09:00'],
    ['does not count a closed weekday', seoul(), '2026-12-05T10:00+09:00', 3, '2026-12-09T18:00+09:00'],
    ['is never a closed weekday', seoul(), '2026-12-05T10:00+09:00', 2, '2026-12-08T18:00+09:00'],
    ['is the same at closing time', seoul(), '2026-12-02T18:00+09:00', 3, '2026-12-05T18:00+09:00'],
    ['is the same after closing time', seoul(), '2026-12-02T21:00+09:00', 3, '2026-12-05T18:00+09:00'],
    ['counts from a closed day', seoul(), '2026-12-07T09:00+09:00', 1, '2026-12-08T18:00+09:00'],
    ['counts from its evening alike', seoul(), '2026-12-07T23:00+09:00', 1, '2026-12-08T18:00+09:00'],
    ['counts from the first moment', seoul(), '2026-12-02T00:00+09:00', 1, '2026-12-03T18:00+09:00'],
    ['… and the last of a day', seoul(), '2026-12-02T23:59:59.999+09:00', 1, '2026-12-03T18:00+09:00'],
    ['counts days of the library', seoul(), '2026-12-02T20:00Z', 1, '2026-12-04T18:00+09:00'],
    [
      'skips closed days in a row, and the closed weekday after them',
      seoul('2026-12-24', '2026-12-25', '2026-12-26', '2026-12-27'),
      '2026-12-23T10:00+09:00',
      1,
      '2026-12-29T18:00+09:00',
    ],
    [
      'skips a date once that is closed twice',
      seoul('2026-12-07', '2026-12-08'),
      '2026-12-06T10:00+09:00',
      1,
      '2026-12-09T18:00+09:00',
    ],
    [
      'ignores that today is closed',
      seoul('2026-12-02'),
      '2026-12-02T10:00+09:00',
      1,
      '2026-12-03T18:00+09:00',
    ],
    ['passes the end of a month', seoul(), '2027-01-31T10:00+09:00', 2, '2027-02-03T18:00+09:00'],
    ['passes the end of a year', seoul('2027-01-01'), '2026-12-30T10:00+09:00', 3, '2027-01-03T18:00+09:00'],
    ['may be a leap day', seoul(), '2028-02-26T10:00+09:00', 2, '2028-02-29T18:00+09:00'],
    ['knows years without one', seoul(), '2027-02-27T10:00+09:00', 2, '2027-03-02T18:00+09:00'],
    ['knows centuries without one', seoul(), '2100-02-27T10:00+09:00', 2, '2100-03-02T18:00+09:00'],
    [
      'has offsets of less than an hour',
      everyDay('Asia/Kathmandu', '17:15'),
      '2026-12-02T23:59+05:45',
      1,
      '2026-12-03T17:15+05:45',
    ],
    ['follows clocks set forward', newYork(), '2027-03-13T12:00-05:00', 1, '2027-03-14T18:00-04:00'],
    ['follows clocks set back', newYork(), '2026-10-31T12:00-04:00', 1, '2026-11-01T18:00-05:00'],
    [
      'moves if skipped, in New York',
      newYork('02:30'),
      '2027-03-13T12:00-05:00',
      1,
      '2027-03-14T03:30-04:00',
    ],
    ['… in Berlin', berlin('02:00'), '2027-03-27T12:00+01:00', 1, '2027-03-28T03:00+02:00'],
    ['… by half an hour', lordHowe('02:15'), '2026-10-03T12:00+10:30', 1, '2026-10-04T02:45+11:00'],
    [
      '… at midnight',
      everyDay('Africa/Cairo', '00:30'),
      '2027-04-29T12:00+02:00',
      1,
      '2027-04-30T01:30+03:00',
    ],
    [
      'is the later of two, in New York',
      newYork('01:30'),
      '2026-10-31T12:00-04:00',
      1,
      '2026-11-01T01:30-05:00',
    ],
    ['… in Berlin', berlin('02:30'), '2026-10-24T12:00+02:00', 1, '2026-10-25T02:30+01:00'],
    ['… by half an hour', lordHowe('01:45'), '2027-04-03T12:00+11:00', 1, '2027-04-04T01:45+10:30'],
    ['counts a day of 25 hours once', newYork(), '2026-11-01T01:30-05:00', 1, '2026-11-02T18:00-05:00'],
    ['is no day that a zone skipped', apia(), '2011-12-29T12:00-10:00', 1, '2011-12-31T18:00+14:00'],
    [
      '… nor a closed day after it',
      apia('2011-12-31'),
      '2011-12-29T12:00-10:00',
      1,
      '2012-01-01T18:00+14:00',
    ],
  ])('%s: %o, %s, %i open days', (_, calendar, now, pickupDays, deadline) => {
    expect(deadlineOf(new Date(now), pickupDays, calendar)).toEqual(new Date(deadline))
  })
})

const dayMs = 86_400_000
const daysAfter = (date: string, days: number) =>
  new Date(Date.parse(`${date}T00:00Z`) + days * dayMs).toISOString().slice(0, 10)
const weekdayOf = (date: string) => new Date(`${date}T00:00Z`).getUTCDay() || 7

/** By the platform's own knowledge of time zones. */
function localIn(timeZone: string): (instant: Date) => { date: string; time: string } {
  const format = new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return (instant) => {
    const [date, time] = format.format(instant).split(' ')
    return { date: date!, time: time! }
  }
}

const zones = [
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'America/Nuuk',
  'Asia/Seoul',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'UTC',
]
const local = new Map(zones.map((it) => [it, localIn(it)]))
const twoDigits = (n: number) => String(n).padStart(2, '0')
const calendars = fc.record({
  timeZone: fc.constantFrom(...zones),
  closingTime: fc
    .tuple(fc.nat(23), fc.constantFrom(0, 15, 30, 45))
    .map((parts) => parts.map(twoDigits).join(':')),
  closedWeekdays: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 6 }),
})
const nows = fc.date({ min: new Date('2026-01-01'), max: new Date('2037-01-01'), noInvalidDate: true })
/** In days from today. */
const closures = fc.uniqueArray(fc.integer({ min: -5, max: 60 }), { maxLength: 30 })
const quarterMs = 900_000

test('in any calendar, as many open days pass as customers have, and the last one ends the deadline', () => {
  fc.assert(
    fc.property(
      nows,
      fc.integer({ min: 1, max: 30 }),
      calendars,
      closures,
      (now, pickupDays, hours, closed) => {
        const localOf = local.get(hours.timeZone)!
        const today = localOf(now).date
        const calendar = { ...hours, closedDates: new Set(closed.map((days) => daysAfter(today, days))) }
        const isOpen = (date: string) =>
          !calendar.closedDates.has(date) && !calendar.closedWeekdays.includes(weekdayOf(date))

        const deadline = deadlineOf(now, pickupDays, calendar)
        const { date, time } = localOf(deadline)
        expect(isOpen(date)).toBe(true)
        const days = (Date.parse(date) - Date.parse(today)) / dayMs
        const opened = range(days)
          .map((n) => daysAfter(today, n + 1))
          .filter(isOpen)
        const closes = (date: string) =>
          range(120).some((n) => {
            const at = localOf(new Date(Date.parse(`${date}T${hours.closingTime}Z`) + (n - 60) * quarterMs))
            return at.date === date && at.time >= hours.closingTime
          })
        // Clocks that skip the last hours of the last day pass it over (Nuuk, 2036-03-29).
        const counted = opened.length === pickupDays ? opened : opened.filter(closes)
        expect(counted).toHaveLength(pickupDays)

        const around = range(25).map((n) => new Date(deadline.getTime() + (n - 12) * quarterMs))
        const shown = around.filter((it) => {
          const at = localOf(it)
          return at.date === date && at.time === hours.closingTime
        })
        // Clocks that skip closing time show a later one.
        if (shown.length === 0) expect(time > hours.closingTime).toBe(true)
        else expect(deadline).toEqual(shown.at(-1))
      },
    ),
    {
      numRuns: 500,
      examples: [
        [
          new Date('2036-03-22T02:00:00Z'),
          1,
          { timeZone: 'America/Nuuk', closingTime: '23:00', closedWeekdays: [1, 2, 4, 5, 7] },
          [4],
        ],
      ],
    },
  )
})

test('the deadline is the same all day, and never earlier on a later day', () => {
  fc.assert(
    fc.property(
      nows,
      fc.integer({ min: 1, max: 20 }),
      calendars,
      fc.nat(3 * dayMs),
      (now, days, hours, ms) => {
        const calendar = { ...hours, closedDates: new Set<string>() }
        const later = new Date(now.getTime() + ms)
        const [first, second] = [now, later].map((it) => deadlineOf(it, days, calendar).getTime())
        const localOf = local.get(hours.timeZone)!
        if (localOf(now).date === localOf(later).date) expect(second).toBe(first)
        else expect(second).toBeGreaterThanOrEqual(first!)
        expect(first).toBeGreaterThan(now.getTime())
      },
    ),
    { numRuns: 300 },
  )
})

test('years of closed dates are passed', () => {
  const now = new Date('2026-12-02T10:00+09:00')
  const closed = range(3_650).map((n) => daysAfter('2026-12-02', n + 1))
  const first = daysAfter(closed.at(-1)!, weekdayOf(closed.at(-1)!) === 7 ? 2 : 1)
  expect(deadlineOf(now, 1, seoul(...closed))).toEqual(new Date(`${first}T18:00+09:00`))
})

test('without an open weekday there is no deadline, and no endless search', () => {
  const never = { ...seoul('2026-12-25'), closedWeekdays: [1, 2, 3, 4, 5, 6, 7] }
  expect(() => deadlineOf(new Date(), 365, never)).toThrow('no day is open')
})

/** 5 December 2026 is a Saturday; the library is closed on Mondays. */
test.each([
  ['within a day', seoul(), '2026-12-05T10:00+09:00', '2026-12-05T12:00+09:00', 2],
  ['over a night', seoul(), '2026-12-04T17:00+09:00', '2026-12-05T09:00+09:00', 16],
  ['over a closed weekday', seoul(), '2026-12-06T17:00+09:00', '2026-12-08T09:00+09:00', 7 + 9],
  [
    'over closing days',
    seoul('2026-12-05', '2026-12-06'),
    '2026-12-04T17:00+09:00',
    '2026-12-08T10:00+09:00',
    7 + 10,
  ],
  ['from a closed day on', seoul(), '2026-12-07T12:00+09:00', '2026-12-08T01:00+09:00', 1],
  ['until a closed day', seoul(), '2026-12-06T23:00+09:00', '2026-12-07T12:00+09:00', 1],
  [
    'over the hour that clocks are set back',
    newYork(),
    '2026-11-01T00:00-04:00',
    '2026-11-02T00:00-05:00',
    25,
  ],
  ['over a date that a zone skips', apia(), '2011-12-29T23:00-10:00', '2011-12-31T01:00+14:00', 2],
  ['backwards', seoul(), '2026-12-05T12:00+09:00', '2026-12-05T10:00+09:00', 0],
  [
    'for longer than is counted',
    everyDay('UTC'),
    '2026-01-01T00:00Z',
    '2026-12-01T00:00Z',
    24 * countedDaysMax,
  ],
])('open hours %s', (_, calendar, since, now, hours) => {
  expect(openMsBetween(new Date(since), new Date(now), calendar) / 3_600_000).toBe(hours)
})
