import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cut } from './cut.ts'

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const encode = (character: string) => entities[character] ?? character
const segmenter = new Intl.Segmenter()
const weigh = (text: string) => Buffer.byteLength(text)

test('a text that fits stays whole, a longer one ends in an ellipsis', () => {
  expect(cut('a<b', 6, { encode })).toBe('a&lt;b')
  expect(cut('a<bc', 6, { encode })).toBe('a&lt;…')
  expect(cut('a<bc', 5, { encode })).toBe('a…')
  expect(cut('한글날', 8, { weigh })).toBe('한…')
})

test('no result exceeds its limit, and no character is cut in two', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 60 })
  fc.assert(
    fc.property(text, fc.integer({ min: 3, max: 50 }), (text, max) => {
      const taken = cut(text, max, { encode, weigh })
      expect(weigh(taken)).toBeLessThanOrEqual(Math.max(max, 3))
      const characters = Array.from(segmenter.segment(text), ({ segment }) =>
        [...segment].map(encode).join(''),
      )
      const beginnings = characters.map((_, i) => `${characters.slice(0, i).join('')}…`)
      expect([characters.join(''), ...beginnings]).toContain(taken)
      expect(taken.isWellFormed()).toBe(true)
    }),
  )
})
