import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Envelope, fromFields, toFields } from './envelope.ts'

const envelope: Envelope = {
  specversion: '1.0',
  id: '1',
  source: '/here',
  type: 'Said',
  subject: 'book',
  time: '2026-01-01T00:00:00Z',
  data: '{}',
}
const { data: _, ...withoutData } = envelope

test('an envelope comes back from its fields as it was', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' })
  const attributes = fc.record<Envelope>(
    {
      specversion: fc.constant('1.0'),
      id: text,
      source: text,
      type: text,
      subject: text,
      time: text,
      traceparent: text,
      data: fc.string({ minLength: 2, unit: 'grapheme' }),
    },
    { requiredKeys: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'data'] },
  )
  fc.assert(
    fc.property(attributes, (it) => {
      expect(fromFields(toFields(it))).toEqual(it)
    }),
  )
})

describe('refused is', () => {
  test.each<[string, string[]]>([
    ['nothing', []],
    ['a field without value', ['specversion']],
    ['another version', toFields(envelope).with(1, '2.0')],
    ['an envelope without data', Object.entries(withoutData).flat()],
    ['an empty subject', Object.entries({ ...envelope, subject: '' }).flat()],
    ['something else', ['payload', '{}']],
    ['a name that every object inherits', ['__proto__', 'x', 'constructor', 'y']],
  ])('%s', (_, fields) => {
    expect(() => fromFields(fields)).toThrow()
  })
})

test('unknown attributes are left out', () => {
  expect(fromFields([...toFields(envelope), 'partitionkey', 'x'])).toEqual(envelope)
})
