import { expect, test } from 'vitest'
import { isNextEvent, validOf } from './batch.ts'
import type { Entry } from './entry.ts'

const incarnation = '1-test'
const entry = (position: number, event: object = {}): Entry => ({
  position: `${position}-0`,
  message: { sequence: String(position), incarnation, ...event },
  fields: [],
})
/** @returns the sequences that a consumer at offset 4 handles. */
const handled = (...entries: Entry[]) =>
  validOf(entries, '4-0', isNextEvent(incarnation)).map((it) => it.position)

test('R4: an event is handled right after the one before it, or not at all', () => {
  expect(handled(entry(5), entry(6), entry(7))).toEqual(['5-0', '6-0', '7-0'])
  expect(handled(entry(5), entry(7))).toEqual(['5-0'])
  expect(handled(entry(6))).toEqual([])
  expect(handled(entry(4), entry(5))).toEqual([])
})

test.each<[string, object]>([
  ['with another sequence', { sequence: '9' }],
  ['of another incarnation', { incarnation: '0-old' }],
  ['without either', { sequence: undefined, incarnation: undefined }],
])('R4: an entry %s is no event', (_, event) => {
  expect(handled(entry(5), entry(6, event), entry(7))).toEqual(['5-0'])
})
