import { expect, test } from 'vitest'
import { contentMax, readFields, writeLetters } from './letter.ts'

const at = { partition: 0, position: '1-1' }
const awkward = ['a\0', '책 \ud800 \u007f é 😀 "\\" \\u0000', '']

test('text that Postgres can store is written as it is', () => {
  const fields = ['cloudevents', '[{"type":"ReserveCopy","subject":"책","title":"책"}]']
  const letter = { ...at, reason: 'unfit: 책', fields }
  expect(writeLetters([letter], 'whole')).toEqual([{ ...letter, type: 'ReserveCopy', subject: '책' }])
})

test.each(['whole', 'escaped'] as const)(
  '%s, fields that cannot be stored are ASCII, and are read back',
  (form) => {
    const [written] = writeLetters([{ ...at, reason: 'unfit', fields: awkward }], form)
    expect(written!.fields.join('')).toMatch(/^[\x20-\x7f]+$/)
    expect(readFields(written!.fields)).toEqual(awkward)
  },
)

test('fields that look like escaped ones are read back as they were', () => {
  for (const fields of [
    ['bookreservation:escaped', '["x"]'],
    ['bookreservation:escaped', 'no JSON'],
  ])
    expect(readFields(writeLetters([{ ...at, reason: '', fields }], 'whole')[0]!.fields)).toEqual(fields)
  expect(readFields(['bookreservation:escaped', 'no JSON'])).toEqual(['bookreservation:escaped', 'no JSON'])
})

test('bare, a letter has only its position and an ASCII reason', () => {
  const [written] = writeLetters([{ ...at, reason: `책\0${'x'.repeat(5_000)}`, fields: awkward }], 'bare')
  expect(written).toMatchObject({ ...at, fields: [] })
  expect(written!.reason).toMatch(/^\\ucc45\\u0000x+ \(its content cannot be kept\)$/)
  expect(written!.reason.length).toBeLessThan(2_100)
})

test.each([
  ['[{"type":"a\\u0000b","subject":"\\ud800"}]', { type: 'a\u2400b', subject: '\ufffd' }],
  ['[{"type":7,"subject":""}]', { type: null, subject: null }],
  ['[null]', { type: null, subject: null }],
  ['[{', { type: null, subject: null }],
])('type and subject are written as far as they can be read: %s', (message, head) => {
  const letter = { ...at, reason: '', fields: ['cloudevents', message] }
  expect(writeLetters([letter], 'whole')).toMatchObject([head])
  for (const form of ['escaped', 'bare'] as const) {
    const [written] = writeLetters([letter], form)
    expect(`${written!.type}${written!.subject}`).toMatch(/^[\x20-\x7f]+$/)
  }
})

test('if letters are too large together, the last ones lose their content', () => {
  const large = { ...at, reason: 'unfit', fields: ['a', 'x'.repeat(contentMax / 2)] }
  const written = writeLetters([large, large, { ...large, fields: ['a', 'b'] }], 'whole')
  expect(written.map((it) => it.fields.length)).toEqual([2, 0, 2])
  expect(written[1]!.reason).toBe('unfit (its content is too large to be kept)')
})
