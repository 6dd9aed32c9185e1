import { expect, test } from 'vitest'
import { range } from '../testing/eventually.ts'
import { booksMax, Shelf } from './book-cache.ts'
import { unknownBook } from './stock.ts'

const book = (n: number, version = 0) => ({ ...unknownBook(`book-${n}`), version })

test('a full shelf keeps the books that were used last, as they were committed', () => {
  const shelf = new Shelf()
  for (const n of range(booksMax)) shelf.put(0, book(n))
  // Asked for and committed with every batch, as a book in a rush is.
  for (const n of range(booksMax)) {
    expect(shelf.take('book-0')).toBeDefined()
    shelf.put(0, book(0, n))
    shelf.put(0, book(booksMax + n))
  }
  expect(shelf.take('book-0')).toEqual(book(0, booksMax - 1))
  expect(range(2 * booksMax).filter((n) => shelf.take(`book-${n}`))).toHaveLength(booksMax)
  expect(shelf.take(`book-${booksMax - 1}`)).toBeUndefined()
})

test('a partition that is forgotten leaves no book behind, and takes none of another with it', () => {
  const shelf = new Shelf()
  for (const n of range(4)) shelf.put(n % 2, book(n))
  shelf.forget(1)
  expect(range(4).map((n) => shelf.take(`book-${n}`)?.bookid)).toEqual([
    'book-0',
    undefined,
    'book-2',
    undefined,
  ])
})
