import { expect, test } from 'vitest'
import { kinds, type Subject } from '../notice.ts'
import { writeMessage } from './message.ts'

const reserved: Subject = {
  kind: 'reserved',
  bookid: '1',
  userid: 'test1',
  reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
  reason: null,
  shortage: null,
}

test.each([
  ['ko', '예약이 완료되었습니다'],
  ['ko-KR', '예약이 완료되었습니다'],
  [null, '예약이 완료되었습니다'],
  ['en-GB', 'succeeded'],
  ['fr', 'succeeded'],
])('a customer of locale %s reads "%s"', (locale, words) => {
  expect(writeMessage(reserved, locale).title).toContain(words)
})

test.each(kinds)('a notice of kind %s names its book in every language, in one line of title', (kind) => {
  for (const locale of ['ko', 'en']) {
    const { title, text } = writeMessage({ ...reserved, kind, bookid: 'B-77', shortage: 4 }, locale)
    expect(title).toContain('B-77')
    expect(title).not.toMatch(/[\r\n]/)
    expect(text).toContain('B-77')
    if (kind === 'purchase-requested') expect(text).toContain('4')
  }
})

test('what users chose is text in HTML, never markup', () => {
  const { html } = writeMessage({ ...reserved, userid: '<script>"&\'', bookid: '<b>' }, 'en')
  expect(html).toContain('&lt;script&gt;&quot;&amp;&#39;')
  expect(html).not.toContain('<b>')
  expect(html).not.toContain('<script')
})
