import { expect, test } from 'vitest'
import { kinds, type Subject } from '../notice.ts'
import { writeMessage } from './message.ts'
import { samples } from './samples.ts'
import { alertOf } from './wording.ts'

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

const everySample = samples.flatMap(({ name, subject }) =>
  ['ko', 'en'].map((locale) => ({ name, subject, locale })),
)

test('there is a sample of each kind', () => {
  expect(new Set(samples.map(({ subject }) => subject.kind))).toEqual(new Set(kinds))
})

test.each(everySample)('$name in $locale says what it is about, in every form', ({ subject, locale }) => {
  const message = writeMessage(subject, locale)
  const about =
    { 'delivery-failed': 'email', alert: 'MailboxLags' }[subject.kind as string] ?? subject.bookid!
  for (const form of Object.values(message)) expect(form).toContain(about)
  for (const line of [message.title, message.short]) expect(line).not.toMatch(/[\r\n]/)
  if (subject.kind === 'purchase-requested') expect(message.text).toContain('4')
  for (const form of Object.values(message)) expect(form).not.toMatch(/undefined|null|\[object/)
})

test.each(['ko', 'en'])('a failure is told with its reason (%s)', (locale) => {
  const told = (reason: string) => writeMessage({ ...reserved, kind: 'failed', reason }, locale)
  const [outOfStock, unknown] = [told('OutOfStock'), told('UnknownBook')]
  for (const form of ['text', 'html', 'short'] as const) expect(outOfStock[form]).not.toBe(unknown[form])
})

test.each(everySample.filter(({ subject }) => subject.userid))('$name in $locale fits an SMS', (it) => {
  const { short } = writeMessage(it.subject, it.locale)
  const bytes = [...short].reduce((sum, letter) => sum + (letter > '\x7f' ? 2 : 1), 0)
  expect(bytes).toBeLessThanOrEqual(90)
})

test('no line that others wrote ends a title', () => {
  const { subject } = samples.find(({ name }) => name === 'alert')!
  const details = alertOf(subject)
  const labels = { alertname: 'Up\r\nBcc: evil@example.com\u2028' }
  const alerts = details.alerts.map((it) => ({ ...it, labels }))
  const { title, short } = writeMessage({ ...subject, details: { ...details, alerts } }, 'en')
  for (const line of [title, short]) expect(line).toContain('Up Bcc: evil@example.com')
})

test('what users chose is text in HTML, never markup', () => {
  const { html } = writeMessage({ ...reserved, userid: '<script>"&\'', bookid: '<b>' }, 'en')
  expect(html).toContain('&lt;script&gt;&quot;&amp;&#39;')
  expect(html).not.toContain('<b>')
  expect(html).not.toContain('<script')
})
