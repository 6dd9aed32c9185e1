import { describe, expect, test } from 'vitest'
import { type Entry, entriesOf } from './entry.ts'
import { toFields } from './envelope.ts'

const positions = (entries: Entry[]) => entries.map((it) => `${it.position} ${it.message}`)

describe('an entry of an event stream', () => {
  const rows: [string, string[]][] = [
    ['3-0', toFields(['a', 'b', 'c'])],
    ['4-0', toFields(['d'])],
    ['6-0', toFields(['e', 'f'])],
  ]

  test('holds the events up to the sequence that its id spells', () => {
    const all = ['1-0 a', '2-0 b', '3-0 c', '4-0 d', '5-0 e', '6-0 f']
    expect(positions(entriesOf(rows, '0-0', true))).toEqual(all)
  })

  test('that was committed in part returns the rest', () => {
    expect(positions(entriesOf(rows.slice(0, 1), '2-0', true))).toEqual(['3-0 c'])
    expect(positions(entriesOf(rows.slice(2), '5-0', true))).toEqual(['6-0 f'])
    expect(positions(entriesOf(rows.slice(0, 1), '3-0', true))).toEqual([])
  })

  test('shows each of its events as an entry of its own', () => {
    expect(entriesOf(rows, '0-0', true).map((it) => it.fields)).toEqual(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((it) => toFields([it])),
    )
  })
})

test('an entry of a mailbox has one message, at its own id', () => {
  const [one, several, none] = entriesOf(
    [
      ['17-3', toFields(['a'])],
      ['17-4', toFields(['b', 'c'])],
      ['17-5', ['hello', 'world']],
    ],
    '0-0',
    false,
  )
  expect(one).toMatchObject({ position: '17-3', message: 'a' })
  expect(one).not.toHaveProperty('unreadable')
  for (const it of [several, none]) expect(it!.unreadable).toBeInstanceOf(TypeError)
  expect(several!.fields).toEqual(toFields(['b', 'c']))
})
