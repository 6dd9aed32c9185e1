import { expect, test } from 'vitest'
import { numbersIn } from './numbers.ts'
import { wordsOf } from './words.ts'

test('a span of time is in its largest unit', () => {
  const { lasted } = numbersIn('en')
  expect([0.4, 1, 59.9, 60, 7_199, 90_000].map(lasted)).toEqual([
    '0 seconds',
    '1 second',
    '59 seconds',
    '1 minute',
    '1 hour',
    '1 day',
  ])
  expect(numbersIn('ko').lasted(200)).toBe('3분')
})

test('numbers in texts have separators', () => {
  expect(wordsOf.en.reservation.position(1_234, 10_000)).toBe('You are number 1,234 of 10,000.')
  expect(wordsOf.ko.reservation.position(1_234, 10_000)).toBe('10,000명 중 1,234번째입니다.')
})

/** Texts that name something by its number, or pass a text on. */
const plain = ['lineNumber', 'choice']

test.each(Object.entries(wordsOf))(
  'every text with a count writes it as the language does: %s',
  (_, words) => {
    const texts: string[] = []
    const collect = (name: string, it: unknown) => {
      if (typeof it === 'function' && !plain.includes(name)) texts.push(String(it(...Array(5).fill(12_345))))
      else if (typeof it === 'object') for (const [name, value] of Object.entries(it!)) collect(name, value)
    }
    collect('', words)
    expect(texts.filter((it) => it.includes('12345'))).toEqual([])
  },
)
