import { expect, test } from 'vitest'
import { heldPerPersonMax, heldRequestsMax, placesToWait } from '../http/held.ts'
import { Problem } from '../http/problem.ts'
import {
  clientOf,
  householdOf,
  PersonLimits,
  personsMax,
  readsPerMinute,
  writesPerMinute,
} from './person-limits.ts'

const taken = (limits: PersonLimits, person: string, kind: 'reads' | 'writes', times: number): number => {
  let count = 0
  for (let i = 0; i < times; i++)
    try {
      limits.take(person, kind)
      count += 1
    } catch (error) {
      expect(error).toBeInstanceOf(Problem)
      const { status, headers } = error as Problem
      expect(status).toBe(429)
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    }
  return count
}

test('a person has 30 writes and 300 reads a minute, and the flood of one does not touch another', () => {
  const limits = new PersonLimits()
  for (const [person, kind, perMinute] of [
    ['mina', 'writes', writesPerMinute],
    ['mina', 'reads', readsPerMinute],
    ['jun', 'writes', writesPerMinute],
  ] as const) {
    const count = taken(limits, person, kind, 600)
    expect(count).toBeGreaterThanOrEqual(perMinute)
    // More are allowed as time passes: on a busy machine the loop may take seconds.
    expect(count).toBeLessThan(perMinute * 1.2)
  }
})

test('one customer cannot take all requests that are held open', () => {
  const places = placesToWait({ heldBy() {} })
  const status = (person?: string) => {
    try {
      places.take(person)
      return 200
    } catch (error) {
      expect(Number((error as Problem).headers['retry-after'])).toBeGreaterThan(0)
      return (error as Problem).status
    }
  }
  const first = places.take('mina')
  for (let i = 1; i < heldPerPersonMax; i++) expect(status('mina')).toBe(200)
  expect([status('mina'), status('jun'), status()]).toEqual([429, 200, 200])
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  expect([status('mina'), status('mina')]).toEqual([200, 429])
  // Staff and programs have no limit of their own.
  while (places.taken < heldRequestsMax) expect(status()).toBe(200)
  expect([status('mina'), status('hana'), status()]).toEqual([503, 503, 503])
})

test('the memory is limited, and the person whose entry was used least recently is dropped first', () => {
  const limits = new PersonLimits()
  taken(limits, 'mina', 'writes', writesPerMinute)
  for (let i = 0; i < personsMax * 2; i++) {
    limits.take(`p${i}`, 'reads')
    // If forgotten, all of them.
    if (i % 1_000 === 0)
      expect(taken(limits, 'mina', 'writes', writesPerMinute)).toBeLessThan(writesPerMinute / 2)
  }
  expect(limits.size).toBe(personsMax)
})

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['unknown', 'unknown'],
])('%s is of the household %s', (address, household) => {
  expect(householdOf(address)).toBe(household)
})

test('only addresses that the proxies in front have added are trusted', () => {
  expect(clientOf('1.1.1.1, 2.2.2.2, 3.3.3.3', 0, '9.9.9.9')).toBe('9.9.9.9')
  expect(clientOf('1.1.1.1, 2.2.2.2, 3.3.3.3', 1, '9.9.9.9')).toBe('3.3.3.3')
  expect(clientOf('1.1.1.1, 2.2.2.2, 3.3.3.3', 2, '9.9.9.9')).toBe('2.2.2.2')
  expect(clientOf('1.1.1.1', 2, '9.9.9.9')).toBe('9.9.9.9')
  expect(clientOf(undefined, 1, '9.9.9.9')).toBe('9.9.9.9')
})

test('an address that no proxy has seen takes no more memory than one', () => {
  const sent = `${'x'.repeat(15_000)}, ${'1:'.repeat(7_000)}`
  for (const hops of [1, 2]) expect(clientOf(sent, hops, '203.0.113.1').length).toBeLessThan(65)
  expect(clientOf('2001:db8:1:2:3:4:5:6', 1, '203.0.113.1')).toBe('2001:db8:1:2')
})
