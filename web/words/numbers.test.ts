import { expect, test } from 'vitest'
import { numbersIn } from './numbers.ts'
import { type Words, wordsOf } from './words.ts'

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

const n = 12_345
const counted: ((words: Words) => string)[] = [
  ({ copies }) => copies(n),
  ({ book }) => book.available(n),
  ({ book }) => book.waiting(n),
  ({ book }) => book.owned(n, n),
  ({ book }) => book.wait(n),
  ({ reservation }) => reservation.position(n, n),
  ({ reservation }) => reservation.limit(n, n),
  ({ desk }) => desk.count('mina', n, 0, true),
  ({ desk }) => desk.count('mina', 0, n, true),
  ({ desk }) => desk.standing(n, n),
  ({ ready }) => ready.print(n),
  ({ returns }) => returns.several(n, true),
  ({ receive }) => receive.next('K3M9PQ', n, n),
  ({ receive }) => receive.nextOfMany([], n),
  ({ receive }) => receive.now(n, n, n),
  ({ csv }) => csv.good(n, n),
  ({ csv }) => csv.progress(n, n),
  ({ csv }) => csv.stopped(n, n),
  ({ stock }) => stock.movements.place(n),
  ({ ops }) => ops.letters.redriven(n),
]

test.each(Object.entries(wordsOf))('texts write their counts with separators: %s', (_, words) => {
  for (const text of counted.map((it) => it(words))) {
    expect(text).toContain('12,345')
    expect(text).not.toContain('12345')
  }
})
