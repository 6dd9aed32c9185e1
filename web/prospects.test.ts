import { describe, expect, test } from 'vitest'
import type { Rules, Stock } from './apis/stock.ts'
import { chanceOf, rulesInWords } from './prospects.ts'
import { en } from './words/en.ts'

const library: Rules = {
  queueMax: 10,
  queuePerCopy: 3,
  pickupDays: 3,
  pullStep: true,
  onePerBook: true,
  waitDays: 90,
  lend: true,
}
const stock = (change: Partial<Stock> = {}): Stock => ({
  ...{ bookid: 'momo', title: 'Momo', author: '', isbn: '', qty: 0, held: 1, out: 1, owned: 2, waiting: 0 },
  onOrder: 0,
  rules: library,
  version: 1,
  ...change,
})
const book = (qty: number, waiting: number) => ({ qty, waiting })

describe('a customer who reserves', () => {
  test('gets a copy that is there', () => {
    expect(chanceOf(book(1, 0), stock())).toEqual({ type: 'available' })
    expect(chanceOf(book(1, 0), undefined)).toEqual({ type: 'available' })
  })
  test('is the next in the queue, also in the moment in which a copy arrives', () => {
    expect(chanceOf(book(0, 4), stock())).toEqual({ type: 'wait', number: 5 })
    expect(chanceOf(book(1, 4), stock())).toEqual({ type: 'wait', number: 5 })
    expect(chanceOf(book(0, 4), undefined)).toEqual({ type: 'wait', number: 5 })
  })
  test('cannot wait in a queue that is full, for all or for each copy owned or ordered', () => {
    expect(chanceOf(book(0, 6), stock())).toEqual({ type: 'full' })
    expect(chanceOf(book(0, 6), stock({ onOrder: 1 }))).toEqual({ type: 'wait', number: 7 })
    expect(chanceOf(book(0, 10), stock({ owned: 9 }))).toEqual({ type: 'full' })
  })
  test('can only ask where no customer can wait: without a queue, or without a copy owned or ordered', () => {
    expect(chanceOf(book(0, 0), stock({ rules: null }))).toEqual({ type: 'ask' })
    expect(chanceOf(book(0, 0), stock({ owned: 0 }))).toEqual({ type: 'ask' })
    expect(chanceOf(book(0, 0), stock({ rules: { ...library, queueMax: 0 } }))).toEqual({ type: 'ask' })
  })
  test('learns it later while stock is down', () => {
    expect(chanceOf(book(0, 0), undefined)).toEqual({ type: 'open' })
  })
})

test('the rules are sentences, and those that do not apply are left out', () => {
  expect(rulesInWords(en, library)).toHaveLength(4)
  expect(rulesInWords(en, { ...library, pullStep: false, onePerBook: false, queueMax: 0 })).toEqual([
    'Collect it within 3 open days.',
  ])
  expect(rulesInWords(en, null)).toEqual(['A copy is kept for you until you cancel.'])
})
