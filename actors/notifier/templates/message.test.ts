import { expect, test } from 'vitest'
import { kinds, type Subject } from '../plan/notice.ts'
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
  ['en-GB', 'is confirmed'],
  ['fr', 'is confirmed'],
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
  const shows = subject.kind !== 'failed' || subject.reason !== 'UnknownBook'
  for (const form of Object.values(message)) expect(form.includes(about)).toBe(shows)
  for (const line of [message.title, message.short]) expect(line).not.toMatch(/[\r\n]/)
  if (subject.kind === 'purchase-requested') expect(message.text).toContain('4')
  for (const form of Object.values(message)) expect(form).not.toMatch(/undefined|null|\[object/)
})

test.each(['ko', 'en'])('a failure names its reason (%s)', (locale) => {
  const write = (reason: string) => writeMessage({ ...reserved, kind: 'failed', reason }, locale)
  const [outOfStock, unknown] = [write('OutOfStock'), write('UnknownBook')]
  for (const form of ['text', 'html', 'short'] as const) expect(outOfStock[form]).not.toBe(unknown[form])
})

test.each(everySample.filter(({ subject }) => subject.userid))('$name in $locale fits an SMS', (it) => {
  const { short } = writeMessage(it.subject, it.locale)
  const bytes = [...short].reduce((sum, letter) => sum + (letter > '\x7f' ? 2 : 1), 0)
  expect(bytes).toBeLessThanOrEqual(90)
})

test("a line break in a user's text does not end a title", () => {
  const { subject } = samples.find(({ name }) => name === 'alert')!
  const details = alertOf(subject)
  const labels = { alertname: 'Up\r\nBcc: evil@example.com\u2028' }
  const alerts = details.alerts.map((it) => ({ ...it, labels }))
  const { title, short } = writeMessage({ ...subject, details: { ...details, alerts } }, 'en')
  for (const line of [title, short]) expect(line).toContain('Up Bcc: evil@example.com')
})

const lures = [
  'https://library-verify.example/login?u=victim',
  'library-verify.example',
  'www.evil.example/x',
  'mailto:thief@evil.example',
  'thief@evil.example',
  '<a/href=//evil.example>',
  '[link](https://evil.example)',
  '<!channel>@everyone',
  '**_`~|x',
  'tel:+82-2-1234-5678',
  'call-02-1234-5678',
  '+821012345678',
  '1588-1234',
]
/** Text that programs turn into a link, a mention, markup or a number to call. */
const lure = /https?:|\b[a-z0-9-]+\.[a-z]{2,}|@|[<>[\](){}*`~|]|(?:\d[-·]?){7,}/i
const kindsOfBooks = ['reserved', 'failed', 'cancelled', 'purchase-requested', 'delivery-failed'] as const

test.each(lures)('I2: no notice of a book that stock has never had contains %s', (bookid) => {
  const withoutFrame = ({ title, text, short }: ReturnType<typeof writeMessage>) =>
    [title, text, short].map((it) =>
      it.replaceAll(/\[도서 예약\]|01989d5e-[\da-f-]+/g, '').replaceAll(/\(.*?\)/g, ''),
    )
  const { details } = samples.find(({ name }) => name === 'delivery-failed')!.subject
  for (const locale of ['ko', 'en']) {
    for (const kind of kindsOfBooks) {
      const its = kind === 'delivery-failed' ? { details, reason: null } : { details: null }
      const whose = kind === 'purchase-requested' ? null : bookid
      const about = { ...reserved, kind, bookid, userid: whose, shortage: 1, reason: 'UnknownBook', ...its }
      for (const form of withoutFrame(writeMessage(about, locale))) expect(form, kind).not.toMatch(lure)
      expect(writeMessage(about, locale).html).not.toMatch(/https?:|&lt;|evil\.|verify\./)
    }
  }
})

test.each([
  ...lures.slice(0, 5),
  '한국.kr',
  'пример.рф/x',
  'ｅｖｉｌ．ｃｏｍ',
  'evil。com',
  'evil｡com',
  'http：／／evil。com',
  '//evil.example/x',
  'thief＠evil.example',
  '192.0.2.7/x',
])('I3: the reason of a failed delivery does not show %s to operators', (lure) => {
  const { subject } = samples.find(({ name }) => name === 'delivery-failed')!
  for (const locale of ['ko', 'en']) {
    const { text, short, html } = writeMessage({ ...subject, reason: `550 5.1.1 see ${lure} now` }, locale)
    for (const form of [text, short, html]) expect(form).not.toContain(lure)
    const [reason] = text.match(/550 5\.1\.1 see .* now/)!
    expect(reason.slice('550 5.1.1 see '.length)).not.toMatch(/[.．。｡](?! )|[/／]{2}|[@＠]/)
  }
})

test.each(lures.slice(0, 9))(
  'I1: the id of a book in stock does not become a link or markup: %s',
  (bookid) => {
    for (const form of Object.values(writeMessage({ ...reserved, bookid }, 'en')).map((it) =>
      it.replace(/<[^>]*>/g, ''),
    ))
      expect(form).not.toMatch(/https?:|evil\.|verify\.|@|&lt;|\]\(|\*\*/)
  },
)

test.each(['1', 'momo-1973', 'EM0000123456', '9788937460449', '978-89-374-6044-9', '0-8044-2957-X', 'QA_76'])(
  'the id %s of a book in stock is shown as it is',
  (bookid) => {
    expect(writeMessage({ ...reserved, bookid }, 'en').title).toContain(` ${bookid} `)
  },
)

test.each(['9788937460449', '978-89-374-6044-9', '0-8044-2957-X', 'momo-1973'])(
  'I2: a purchaser sees the id %s of a book that stock has never had',
  (bookid) => {
    const asked = {
      ...reserved,
      kind: 'purchase-requested' as const,
      userid: null,
      shortage: 1,
      reason: 'UnknownBook',
    }
    expect(writeMessage({ ...asked, bookid }, 'ko').title).toContain(bookid)
  },
)

test('I2: a customer sees the reservation, but not the id of a book that stock has never had', () => {
  for (const kind of ['failed', 'cancelled'] as const) {
    const { title, text, html, short } = writeMessage(
      { ...reserved, kind, reason: 'UnknownBook', bookid: 'call-us-now' },
      'en',
    )
    for (const form of [title, text, html, short]) expect(form).not.toContain('call-us-now')
    expect(text).toContain(reserved.reservationid)
  }
})
