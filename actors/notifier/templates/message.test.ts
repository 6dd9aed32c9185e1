import { expect, test } from 'vitest'
import { stockRefusalReasons } from '../../messages.ts'
import { kinds, type ReservationDetails, type Subject } from '../plan/notice.ts'
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
  expect(new Set(samples.map(({ subject }) => subject.kind))).toEqual(
    new Set(kinds.filter((it) => it !== 'handed-over')),
  )
})

test.each(everySample)('$name in $locale says what it is about, in every form', ({ subject, locale }) => {
  const message = writeMessage(subject, locale)
  if (subject.title) for (const form of [message.text, message.html]) expect(form).toContain(subject.bookid)
  const about =
    { 'delivery-failed': 'email', alert: 'MailboxLags' }[subject.kind as string] ??
    subject.title ??
    subject.bookid!
  const shows = subject.kind !== 'failed' || subject.reason !== 'UnknownBook'
  for (const form of Object.values(message)) expect(form.includes(about)).toBe(shows)
  for (const line of [message.title, message.short]) expect(line).not.toMatch(/[\r\n]/)
  if (subject.kind === 'purchase-requested') {
    const { details, shortage } = subject
    expect(message.text).toContain(String(details?.type === 'purchase' ? details.waiting : shortage))
  }
  for (const form of Object.values(message)) expect(form).not.toMatch(/undefined|null|\[object/)
})

test.each(['ko', 'en'])('a failure names its reason (%s)', (locale) => {
  const write = (reason: string) => writeMessage({ ...reserved, kind: 'failed', reason }, locale)
  const messages = stockRefusalReasons.map(write)
  for (const form of ['text', 'html', 'short'] as const)
    expect(new Set(messages.map((it) => it[form])).size).toBe(stockRefusalReasons.length)
})

const momo = { ...reserved, bookid: 'momo-1973', title: '모모', author: '미하엘 엔데' }
const about = (kind: Subject['kind'], details: Omit<ReservationDetails, 'type'>): Subject => ({
  ...momo,
  kind,
  details: { type: 'reservation', ...details },
})
const pickupBy = '2026-11-30T09:00:00Z'

test('a deadline is in the time zone of the library and in the language of the reader', () => {
  const write = (locale: string, timeZone?: string) =>
    writeMessage(about('ready', { pickupBy }), locale, timeZone)
  expect(write('ko').text).toContain('11월 30일(월) 18:00까지 찾아가 주세요.')
  expect(write('ko').short).toBe('[도서 예약] 『모모』 11월 30일(월) 18:00까지 찾아가 주세요.')
  expect(write('en').text).toContain('We keep it for you until Monday, 30 November, 18:00.')
  expect(write('en', 'America/New_York').text).toContain('until Monday, 30 November, 04:00.')
  expect(write('en', 'Pacific/Auckland').text).toContain('Collect by: Monday, 30 November, 22:00')
})

test('a deadline in another year than its notice has its year, by the clocks of the library', () => {
  const write = (locale: string, pickupBy: string, createdAt: string) =>
    writeMessage({ ...about('ready', { pickupBy }), createdAt: new Date(createdAt) }, locale).text
  // 2027 has begun in Seoul.
  const newYear = '2026-12-31T15:30:00Z'
  expect(write('en', newYear, '2026-12-30T03:00:00Z')).toContain('until Friday, 1 January 2027, 00:30.')
  expect(write('ko', newYear, '2026-12-30T03:00:00Z')).toContain('2027년 1월 1일(금) 00:30까지')
  expect(write('en', newYear, '2026-12-31T15:10:00Z')).toContain('until Friday, 1 January, 00:30.')
})

test.each<[string, Subject, RegExp, RegExp]>([
  ['a place in the queue', about('queued', { position: 3 }), /대기 순번은 3번/, /You are number 3/],
  [
    'the queue, asked again',
    about('queued', {}),
    /대기자로 등록되었습니다\. 차례/,
    /We will notify you when/,
  ],
  ['the shelf without a deadline', about('ready', { pickupBy: null }), /편하실 때/, /whenever it suits you/],
  [
    'a reminder',
    about('reminder', { pickupBy }),
    /18:00까지 보관/,
    /until Monday, 30 November, 18:00\. After/,
  ],
  ['an extension', about('extended', { pickupBy }), /이제 11월 30일\(월\) 18:00까지/, /now keep your copy/],
  [
    'the end of a wait',
    { ...momo, kind: 'failed', reason: 'WaitLapsed' },
    /차례가 오지 않아 예약이 종료/,
    /keep places in the queue, so your reservation has ended/,
  ],
  ['an expiry', about('expired', {}), /만료되었습니다/, /has expired/],
  ['a loss', about('taken-back', { cause: 'Lost', turn: 2 }), /분실/, /is lost/],
  ['a withdrawal', about('taken-back', { cause: 'Withdrawn' }), /드릴 수 없게/, /no longer available/],
  ['the desk', about('cancelled', { cause: 'CustomerAsked' }), /요청하신 대로/, /as you asked/],
  [
    'staff',
    about('cancelled', { cause: 'Staff', note: '휴관' }),
    /담당자가.*전하는 말: 휴관/s,
    /staff.*Note: 휴관/s,
  ],
  ['a duplicate', about('cancelled', { cause: 'Duplicate' }), /하나 더 있어/, /another one/],
  [
    'a copy that is to be fetched',
    about('reserved', {}),
    /다시 알려 드리겠습니다/,
    /as soon as you can collect/,
  ],
  [
    'a purchase for a queue',
    { ...momo, kind: 'purchase-requested', shortage: 2, details: { type: 'purchase', waiting: 12 } },
    /예약 2건을 받지 못했습니다\. 12명이/,
    /2 reservations because no copies were left\. 12 people are waiting/,
  ],
])('%s is worded in Korean and in English', (_, subject, korean, english) => {
  expect(writeMessage(subject, 'ko').text).toMatch(korean)
  expect(writeMessage(subject, 'en').text).toMatch(english)
})

test('a reservation that was refused failed, and one that had waited has ended', () => {
  const titleOf = (reason: string) => writeMessage({ ...momo, kind: 'failed', reason }, 'en').title
  expect(titleOf('QueueFull')).toBe('Your reservation of “모모” failed')
  expect(titleOf('NotAcquired')).toBe('Your reservation of “모모” has ended')
})

test('a reservation without rules is worded without what follows', () => {
  expect(writeMessage(momo, 'ko').text).not.toContain('다시 알려')
  expect(writeMessage({ ...momo, kind: 'cancelled' }, 'en').text).toContain("You don't need to do anything")
})

test('I4: a note of staff becomes no link and no mention, and ends no title', () => {
  const { text, html } = writeMessage(
    about('cancelled', { cause: 'Staff', note: 'see evil.example/x\n@everyone' }),
    'en',
  )
  expect(text).toContain('Note: see evil·example/x ·everyone\n')
  expect(html).not.toContain('evil.example')
})

const titles = [
  'Momo',
  '모모',
  '한'.repeat(200),
  'a'.repeat(200),
  '👨‍👩‍👧‍👦'.repeat(20),
  'e\u0323\u0301'.repeat(80),
]
const bookSamples = everySample.filter(({ subject }) => subject.bookid && subject.kind !== 'delivery-failed')

test.each(bookSamples)('$name in $locale fits an SMS, however long the title', ({ subject, locale }) => {
  for (const title of titles) {
    const { short } = writeMessage(subject.title ? { ...subject, title } : subject, locale)
    const bytes = [...short].reduce((sum, letter) => sum + (letter > '\x7f' ? 2 : 1), 0)
    expect(bytes).toBeLessThanOrEqual(90)
    expect(short).not.toMatch(/\u200d…|[\u0301\u0323](?=…).*\u0323…|undefined/)
  }
})

test('a title is cut between two characters, and its words around it stay', () => {
  const write = (title: string) => writeMessage({ ...reserved, title }, 'ko').short
  expect(write('모모')).toBe('[도서 예약] 『모모』 예약이 완료되었습니다.')
  expect(write('회색 신사'.repeat(20))).toMatch(/^\[도서 예약\] 『회색 신사.*…』 예약이 완료되었습니다\.$/)
  expect(write('👨‍👩‍👧‍👦'.repeat(20))).toMatch(/^\[도서 예약\] 『(?:👨‍👩‍👧‍👦)+…』 예약이 완료되었습니다\.$/u)
})

test('the book is named by title and author, with its id beneath', () => {
  const korean = writeMessage(momo, 'ko')
  expect(korean.title).toBe('[도서 예약] 『모모』 예약이 완료되었습니다')
  expect(korean.text).toContain('도서: 모모\n지은이: 미하엘 엔데\n도서 번호: momo-1973\n')
  const english = writeMessage(momo, 'en')
  expect(english.title).toBe('Your reservation of “모모” is confirmed')
  expect(english.text).toContain('Book: 모모\nAuthor: 미하엘 엔데\nBook id: momo-1973\n')
})

test.each([undefined, null, '', ' \u200b\n'])('without a title (%j) the id names the book', (title) => {
  const message = writeMessage({ ...momo, title, author: '' }, 'en')
  expect(message).toEqual(writeMessage({ ...reserved, bookid: 'momo-1973' }, 'en'))
  expect(message.text).toContain('Book: momo-1973\nReservation:')
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

test.each([
  ...lures,
  '＠everyone',
  'evil。com',
  '＼＼evil',
  '192.0.2.7/x',
  '#everyone',
  'a\u202ecod.exe',
  'Up\r\nBcc: x',
])('I4: no title or author becomes a link, a mention or markup: %s', (text) => {
  for (const locale of ['ko', 'en']) {
    const { title, text: body, short, html } = writeMessage({ ...momo, title: text, author: text }, locale)
    const words = [title, body, short, html.replaceAll(/<[^>]*>/g, '')]
    for (const form of words.map((it) => it.replaceAll('[도서 예약]', '')))
      expect(form).not.toMatch(
        /https?:|[a-z0-9-]\.[a-z]{2}|[@＠。\u202e]|(?<!&)#|&lt;|[<>[\]{}*`~|]|\d\.\d+\.\d|mailto:\S|tel:\S/,
      )
    for (const line of [title, short]) expect(line).not.toMatch(/[\r\n]/)
  }
})

test.each([
  '1984',
  '11/22/63',
  'AC/DC',
  'C# 8.0, 2판',
  'Python 3.12',
  'J.R.R. Tolkien',
  'What If?',
  'R&D: a history',
  '2001: A Space Odyssey',
  '임진왜란 1592-1598',
  "L'Étranger",
  '채식주의자 (리커버)',
  '👩‍🚀 우주',
])('the title %s is shown as it is', (title) => {
  expect(writeMessage({ ...momo, title }, 'en').text).toContain(`Book: ${title}\n`)
})

test.each([
  ['<채식주의자>', '〈채식주의자〉'],
  ['[개정판] 모모', '(개정판) 모모'],
  ['Node.js 교과서', 'Node·js 교과서'],
  ['1~3권', '1∼3권'],
  ['모모:회색 신사', '모모: 회색 신사'],
])('the title %s is shown as %s', (title, shown) => {
  expect(writeMessage({ ...momo, title }, 'en').text).toContain(`Book: ${shown}\n`)
})

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
