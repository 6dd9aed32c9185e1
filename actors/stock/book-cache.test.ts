import { expect, test } from 'vitest'
import { range } from '../../tests/doubles/eventually.ts'
import { unknownBook } from './book.ts'
import { BookCache, booksMax } from './book-cache.ts'

const book = (n: number, version = 0) => ({ ...unknownBook(`book-${n}`), version })

test('a full cache drops the books that were committed once, long ago', () => {
  const cache = new BookCache()
  for (const n of range(booksMax)) cache.put(0, book(n))
  // Read and committed with every batch, like a popular book.
  for (const n of range(booksMax)) {
    expect(cache.get('book-0')).toBeDefined()
    cache.put(0, book(0, n))
    cache.put(0, book(booksMax + n))
  }
  expect(cache.get('book-0')).toEqual(book(0, booksMax - 1))
  expect(range(2 * booksMax).filter((n) => cache.get(`book-${n}`))).toHaveLength(booksMax)
  expect(cache.get(`book-${booksMax - 1}`)).toBeUndefined()
})

test('forgetting a partition drops its books and no others', () => {
  const cache = new BookCache()
  for (const n of range(4)) cache.put(n % 2, book(n))
  cache.forget(1)
  expect(range(4).map((n) => cache.get(`book-${n}`)?.bookid)).toEqual([
    'book-0',
    undefined,
    'book-2',
    undefined,
  ])
})
