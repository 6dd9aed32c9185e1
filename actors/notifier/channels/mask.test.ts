import { expect, test } from 'vitest'
import { maskText, shown } from './mask.ts'

test.each([
  ['reader@example.com', 'r***@example.com'],
  ['<first.last+tag@mail.example.co.kr>', '<f***@mail.example.co.kr>'],
  ['독자@도서관.한국', '독***@도서관.한국'],
  [
    '550 5.1.1 <a@b.example>: unknown, try b@b.example',
    '550 5.1.1 <a***@b.example>: unknown, try b***@b.example',
  ],
  ['01012345678', '010****5678'],
  ['010-1234-5678', '010-****-5678'],
  ['+821012345678', '+821*****5678'],
  ['"to":"01012345678"', '"to":"010****5678"'],
])('%s is shown as %s', (text, masked) => {
  expect(maskText(text)).toBe(masked)
})

test.each([
  '01989d5e-1c2b-8abc-8def-010123456789',
  'traceid 01012345678abcdef01012345678abcd',
  '9788983920720',
  '2026-01-02T03:04:05.010Z',
  'position 1767323045010-0',
  '250 2.0.0 Ok: queued as 01012345678AB',
  'books@localhost',
  'redis://user@host:6379',
])('%s is no address, and stays', (text) => {
  expect(maskText(text)).toBe(text)
})

test('what a receiver said is shown in one line, short, without addresses and URLs', () => {
  expect(shown('no such\r\n\u202e user  a@b.example, see https://x.example/token?k=secret')).toBe(
    'no such user a***@b.example, see [URL]',
  )
  expect(shown('x'.repeat(10_000))).toHaveLength(200)
})
