import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toConfig } from '../../platform/config.ts'
import { rulesSchema } from '../messages.ts'
import { isOriginal, presets, type Rules, rulesOf } from './rules.ts'

const limit = fc.option(fc.integer({ min: 1, max: 365 }), { nil: null })
const all: { [Name in keyof Rules]: fc.Arbitrary<Rules[Name]> } = {
  queueMax: fc.nat(1_000_000),
  queuePerCopy: limit,
  pickupDays: limit,
  pullStep: fc.boolean(),
  onePerBook: fc.boolean(),
  waitDays: limit,
  lend: fc.boolean(),
}
const anyRules = fc.record(all)

test('the presets have every rule, with values that a book may have', () => {
  const names = Object.keys(rulesSchema.shape).sort()
  for (const [name, rules] of Object.entries(presets)) {
    expect(Object.keys(rules).sort(), name).toEqual(names)
    expect(rulesSchema.parse(rules)).toEqual(rules)
  }
})

test('a book has its own rules where it has any, and those of the installation otherwise', () => {
  fc.assert(
    fc.property(anyRules, fc.record(all, { requiredKeys: [] }), (defaults, own) => {
      const rules = rulesOf(defaults, own)
      for (const name of Object.keys(defaults) as (keyof Rules)[])
        expect(rules[name]).toBe(name in own ? own[name] : defaults[name])
    }),
  )
})

test('a rule of its own may be no limit, and one that is undefined is the installation’s', () => {
  const own = { pickupDays: null, queueMax: undefined }
  expect(rulesOf(presets.library, own)).toEqual({ ...presets.library, pickupDays: null })
})

test('without rules of its own, a book costs no object', () => {
  for (const own of [null, {}, { lend: undefined }])
    expect(rulesOf(presets.library, own)).toBe(presets.library)
})

test('rules are original if every one of them is', () => {
  expect(isOriginal(presets.original)).toBe(true)
  expect(isOriginal(presets.library)).toBe(false)
  expect(isOriginal(rulesOf(presets.library, presets.original))).toBe(true)
  fc.assert(
    fc.property(anyRules, fc.constantFrom(...(Object.keys(all) as (keyof Rules)[])), (rules, name) => {
      const changed = rulesOf(presets.original, { [name]: rules[name] })
      expect(isOriginal(changed)).toBe(rules[name] === presets.original[name])
    }),
  )
})

test('every rule can be set for the installation', () => {
  const { rulesPreset, rules } = toConfig('stock', {
    DATABASE_URL: 'postgres://localhost/books',
    REDIS_URL: 'redis://localhost',
    RULES: 'bookshop',
    QUEUE_MAX: '1000000',
    QUEUE_PER_COPY: '1000',
    PICKUP_DAYS: '365',
    PULL_STEP: 'false',
    ONE_PER_BOOK: 'true',
    WAIT_DAYS: '3650',
    LEND: 'true',
  })
  const set = {
    queueMax: 1_000_000,
    queuePerCopy: 1_000,
    pickupDays: 365,
    pullStep: false,
    onePerBook: true,
    waitDays: 3_650,
    lend: true,
  }
  expect(rulesOf(presets[rulesPreset], rules)).toEqual(set)
  expect(rulesSchema.parse(rules)).toEqual(set)
})
