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

describe('an entry of a mailbox', () => {
  const lot = (...messages: unknown[]) => [...toFields(messages), 'messages', String(messages.length)]
  const rows: [string, string[]][] = [
    ['17-2', lot('a', 'b', 'c')],
    ['17-3', toFields(['d'])],
    ['17-5', lot('e', 'f')],
    ['18-1', lot('g', 'h')],
  ]

  test('holds the messages up to its own position', () => {
    const all = ['17-0 a', '17-1 b', '17-2 c', '17-3 d', '17-4 e', '17-5 f', '18-0 g', '18-1 h']
    expect(positions(entriesOf(rows, '16-9', false))).toEqual(all)
    expect(positions(entriesOf(rows.slice(2), '17-3', false))).toEqual(all.slice(4))
  })

  test('that was committed in part returns the rest', () => {
    expect(positions(entriesOf(rows.slice(0, 1), '17-0', false))).toEqual(['17-1 b', '17-2 c'])
    expect(positions(entriesOf(rows.slice(2), '17-4', false))).toEqual(['17-5 f', '18-0 g', '18-1 h'])
    expect(positions(entriesOf(rows.slice(3), '17-5', false))).toEqual(['18-0 g', '18-1 h'])
  })

  test('shows each of its messages as an entry of its own', () => {
    expect(entriesOf(rows, '0-0', false).map((it) => it.fields)).toEqual(
      [...'abcdefgh'].map((it) => toFields([it])),
    )
  })

  test.each([
    ['is not a batch', ['hello', 'world']],
    ['has several messages, and does not name their number', toFields(['a', 'b'])],
    ['names another number', [...toFields(['a', 'b']), 'messages', '3']],
    ['names no number', [...toFields(['a', 'b']), 'messages', 'two']],
    ['has more messages than its id leaves room for', lot(...'abcdef')],
  ])('that %s is unreadable as a whole', (_, fields) => {
    const entries = entriesOf([['17-4', fields]], '17-3', false)
    expect(entries).toMatchObject([{ position: '17-4', unreadable: expect.any(TypeError), fields }])
  })
})
