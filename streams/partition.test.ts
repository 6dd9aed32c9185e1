import { describe, expect, test } from 'vitest'
import { fnv1a32, partitionOf, streamKey } from './partition.ts'

describe('fnv1a32', () => {
  // Source: test_fnv.c of the reference code, http://www.isthe.com/chongo/src/fnv/test_fnv.c
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['c', 0xe60c2c52],
    ['d', 0xe10c2473],
    ['e', 0xe00c22e0],
    ['f', 0xe30c2799],
    ['fo', 0x6222e842],
    ['foo', 0xa9f37ed7],
    ['foob', 0x3f5076ef],
    ['fooba', 0x39aaa18a],
    ['foobar', 0xbf9cf968],
    ['chongo was here!\n', 0xd49930d5],
  ])('of %j is the published value', (text, hash) => {
    expect(fnv1a32(text)).toBe(hash)
  })

  test('hashes UTF-8 bytes, so that any language computes the same', () => {
    const bytes = [...new TextEncoder().encode('책 📚')]
    const hash = bytes.reduce((it, byte) => Math.imul(it ^ byte, 0x01000193), 0x811c9dc5) >>> 0
    expect(bytes).toHaveLength(8)
    expect(fnv1a32('책 📚')).toBe(hash)
  })
})

test.each(['book-', 'isbn 978-0-13-', ''])('numbered keys with the prefix %j spread evenly', (prefix) => {
  const counts = new Array<number>(16).fill(0)
  for (let i = 0; i < 16_000; i++) counts[partitionOf(`${prefix}${i}`, 16)]!++
  expect(Math.min(...counts)).toBeGreaterThan(800)
  expect(Math.max(...counts)).toBeLessThan(1_200)
})

test('all streams of one owner’s partition share a hash tag', () => {
  const keys = ['mailbox', 'events'].map((name) =>
    streamKey('br', { owner: 'stock', name, consumers: [] }, 7),
  )
  expect(keys).toEqual(['{br:stock-7}:mailbox', '{br:stock-7}:events'])
})
