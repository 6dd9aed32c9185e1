import { expect, test } from 'vitest'
import { dialledInKorea, isWebhookUrl, parseEmail, parsePhone, parseSender } from './addresses.ts'

test.each([
  ['kim@example.com', 'kim@example.com'],
  ['Kim.Lee+books@Mail.Example.co.kr', 'Kim.Lee+books@Mail.Example.co.kr'],
  ['kim@한국.kr', 'kim@xn--3e0b707e.kr'],
  ['kim@도서관.한국', 'kim@xn--zb0b81k2qm.xn--3e0b707e'],
  ['kim@xn--3e0b707e.kr', 'kim@xn--3e0b707e.kr'],
  ['kim@한국。kr', 'kim@xn--3e0b707e.kr'],
  ['kim@bücher.example', 'kim@xn--bcher-kva.example'],
])('the e-mail address %s is kept as %s', (text, email) => {
  expect(parseEmail(text)).toBe(email)
})

test.each([
  'josé@example.com',
  '김@example.com',
  'kim',
  'kim@',
  '@example.com',
  'kim@localhost',
  'kim@127.0.0.1',
  'kim@１２７.0.0.1',
  'kim@한국',
  'kim@한국%2e.kr',
  'kim@한국.kr/x',
  'kim@한국.kr:25',
  'kim@한\n국.kr',
  'kim@-example.com',
  'kim@example..com',
  'kim..lee@example.com',
  '.kim@example.com',
  'a@example.com, b@example.com',
  'a@b@example.com',
  'kim@example.com\r\nBcc: evil@example.com',
  ' kim@example.com',
  `${'k'.repeat(65)}@example.com`,
  `kim@${'한'.repeat(100)}.kr`,
  `kim@${'a.'.repeat(200)}com`,
  'kim@\ud800.kr',
])('%j is not an e-mail address', (text) => {
  expect(parseEmail(text)).toBeUndefined()
})

test.each([
  '+82 10-1234-5678',
  '+82 010-1234-5678',
  '+82 (0)10-1234-5678',
  '+82(0)10 1234 5678',
  '+82.10.1234.5678',
  '+82 10–1234–5678',
  '＋８２ １０ １２３４ ５６７８',
  '+821012345678',
  '+8201012345678',
])('the phone number %s is kept as +821012345678, and dialed as 01012345678', (text) => {
  expect(parsePhone(text)).toBe('+821012345678')
  expect(dialledInKorea(text)).toBe('01012345678')
})

test('a landline number is dialed with its 0', () => {
  expect(parsePhone('+82 2-123-4567')).toBe('+8221234567')
  expect(dialledInKorea('+8221234567')).toBe('021234567')
})

test.each([
  '010-1234-5678',
  '+1 213 555 1234',
  '+82',
  '+82 0010-1234-5678',
  '+82 10-1234-5678; drop',
  '+82 10-1234-5678-9012',
  '+82 10 1234 567a',
  '0082 10 1234 5678',
  '',
  `+82${' '.repeat(100)}1012345678`,
])('%j is not a phone number that can receive SMS', (text) => {
  expect(parsePhone(text)).toBeUndefined()
})

test.each([
  ['Library <no-reply@library.example>', 'no-reply', 'library.example'],
  ['"Library, Seoul" <no-reply@library.example>', 'no-reply', 'library.example'],
  ['도서관 <no-reply@도서관.kr>', 'no-reply', 'xn--zb0b81k2qm.kr'],
  ['no-reply@localhost', 'no-reply', 'localhost'],
])('the sender %s is accepted', (text, local, domain) => {
  expect(parseSender(text)).toMatchObject({ local, domain })
})

test.each([
  'Library',
  'Library <>',
  'Library <도서@library.example>',
  'a@b.example\nBcc: c@d.example',
  '<a@b> <c@d>',
])('%j is not a sender', (text) => {
  expect(parseSender(text)).toBeUndefined()
})

test.each([
  'https://',
  'https:///x',
  'hooks.slack.com/x',
  'ftp://a.example',
  'https://u:p@a.example',
  'https://a.example:0/',
])('%s is not a webhook URL', (text) => {
  expect(isWebhookUrl(text)).toBe(false)
})
