import { expect, test } from 'vitest'
import { ConfigError, toConfig } from './config.ts'

const servers = { DATABASE_URL: 'postgres://localhost/books', REDIS_URL: 'redis://localhost' }
const configOf = (env: Record<string, string>) => toConfig('stock', { ...servers, ...env })

test('without settings, the library is in Seoul, closes at 18:00 and on Mondays, and has the original rules', () => {
  const { libraryTimezone, closingTime, closedWeekdays, pickupGraceMs, rulesPreset, rules } = configOf({})
  expect({ libraryTimezone, closingTime, closedWeekdays, pickupGraceMs, rulesPreset }).toEqual({
    libraryTimezone: 'Asia/Seoul',
    closingTime: '18:00',
    closedWeekdays: [1],
    pickupGraceMs: 3_600_000,
    rulesPreset: 'original',
  })
  expect(Object.values(rules).filter((it) => it !== undefined)).toEqual([])
})

test.each([
  ['mon', [1]],
  ['sat, SUN', [6, 7]],
  ['tue,tue', [2]],
  ['mon,tue,wed,thu,fri,sat', [1, 2, 3, 4, 5, 6]],
  ['none', []],
])('closed on %s', (CLOSED_WEEKDAYS, days) => {
  expect(configOf({ CLOSED_WEEKDAYS }).closedWeekdays).toEqual(days)
})

test('each setting of a rule sets that rule alone, and none is no limit', () => {
  expect(configOf({ RULES: 'library', QUEUE_MAX: '0', LEND: 'false', ONE_PER_BOOK: 'TRUE' })).toMatchObject({
    rulesPreset: 'library',
    rules: { queueMax: 0, lend: false, onePerBook: true, pickupDays: undefined, pullStep: undefined },
  })
  expect(configOf({ QUEUE_PER_COPY: 'none', PICKUP_DAYS: 'None', WAIT_DAYS: '365' }).rules).toMatchObject({
    queuePerCopy: null,
    pickupDays: null,
    waitDays: 365,
  })
})

test.each([
  [{}, null],
  [{ RULES: 'bookshop' }, null],
  [{ RULES: 'library' }, 30],
  [{ RULES: 'library', HISTORY_DAYS: 'none' }, null],
  [{ HISTORY_DAYS: '365' }, 365],
])('with %j reservations that are over name their customer for %j days', (env, days) => {
  expect(configOf(env).historyDays).toBe(days)
})

test.each([
  ['LIBRARY_TIMEZONE', 'must be an IANA time zone', ['Seoul', '+09:00', 'KST-9', 'Asia/Atlantis', '9']],
  ['CLOSING_TIME', 'must be a time of day', ['6pm', '24:00', '00:00', '18', '18:60', '18:00:00']],
  ['CLOSED_WEEKDAYS', 'must be days among mon, tue', ['monday', '1', 'mon;tue', 'mon,', 'none,mon']],
  ['CLOSED_WEEKDAYS', 'must leave a day', ['mon,tue,wed,thu,fri,sat,sun']],
  ['PICKUP_GRACE_MS', 'must be a whole number from 0', ['-1', '1h', '86400001']],
  ['RULES', 'must be one of original, library, bookshop', ['Library', 'none']],
  ['QUEUE_MAX', 'must be a whole number from 0 to 1000000', ['none', '-1', '1.5', '1000001']],
  ['QUEUE_PER_COPY', 'must be a whole number from 1 to 1000, or none', ['0', 'no', '1001']],
  ['PICKUP_DAYS', 'must be a whole number from 1 to 365, or none', ['0', '366', '3 days']],
  ['WAIT_DAYS', 'must be a whole number from 1 to 3650, or none', ['0', '3651', '1.5']],
  ['PULL_STEP', 'must be one of true, false', ['yes', '1']],
  ['ONE_PER_BOOK', 'must be one of true, false', ['none']],
  ['LEND', 'must be one of true, false', ['no']],
  ['HISTORY_DAYS', 'must be a whole number from 1 to 3650, or none', ['0', '3651', '30 days']],
])('%s %s', (name, message, values) => {
  for (const value of values) {
    const faults = faultsOf({ [name]: value })
    expect(faults, value).toHaveLength(1)
    expect(faults[0]).toContain(`${name} ${message}`)
  }
})

function faultsOf(env: Record<string, string>): string[] {
  try {
    configOf(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}
