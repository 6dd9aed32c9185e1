import { expect, test } from 'vitest'
import { idSchema, textSchema } from '../../actors/messages.ts'
import { readBooks } from './books.ts'

const books = await readBooks()

test('there are 200 books in Korean and English, each once, and some without a copy', () => {
  expect(books).toHaveLength(200)
  for (const of of ['bookid', 'title'] as const) expect(new Set(books.map((it) => it[of])).size).toBe(200)
  expect(books.filter(({ title }) => /\p{Script=Hangul}/u.test(title)).length).toBeGreaterThan(80)
  expect(books.filter(({ copies }) => copies === 0).length).toBeGreaterThan(10)
})

test('every book is one that stock accepts, and every ISBN has its check digit', () => {
  for (const { bookid, title, author, isbn, copies } of books) {
    expect(idSchema.parse(bookid)).toBe(bookid)
    for (const text of [title, author]) expect(textSchema.parse(text), bookid).toBe(text.trim())
    expect(title && author, bookid).not.toBe('')
    expect(copies, bookid).toBeGreaterThanOrEqual(0)
    const sum = [...isbn].reduce((sum, digit, n) => sum + Number(digit) * (n % 2 ? 3 : 1), 0)
    expect(isbn, bookid).toMatch(/^(97[89]\d{10})?$/)
    expect(sum % 10, bookid).toBe(0)
  }
})
