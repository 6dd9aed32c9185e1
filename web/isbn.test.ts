import { expect, test } from 'vitest'
import { isbnOf } from './isbn.ts'

test.each([
  ['9783522202558', '9783522202558'],
  ['978-3-522-20255-8', '9783522202558'],
  [' 978 3 522 20255 8 ', '9783522202558'],
  ['3-522-20255-4', '9783522202558'],
  ['3-522-20255-X', undefined],
  ['0-8044-2957-X', '9780804429573'],
  ['080442957x', '9780804429573'],
  // With the add-on of a price.
  ['978352220255803810', '9783522202558'],
  ['978352220255805', '9783522202558'],
  // A wrong check digit, and other numbers.
  ['9783522202557', undefined],
  ['0804429570', undefined],
  ['4006381333931', undefined],
  ['1984', undefined],
  ['momo', undefined],
  ['', undefined],
])('%s is the ISBN %s', (text, isbn) => expect(isbnOf(text)).toBe(isbn))
