import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { toConfig } from '../../../platform/config.ts'
import { type Certificate, makeCertificate } from '../../../tests/doubles/certificate.ts'
import { MailSink } from '../../../tests/doubles/mail-sink.ts'
import { notifierSettings } from '../config.ts'
import type { DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { openChannels } from './all.ts'
import { emailChannel } from './email.ts'
import { deliver, notice, noticeid, sly } from './testing.ts'

let mails: MailSink
let certificate: Certificate
beforeAll(async () => {
  certificate = await makeCertificate()
  mails = await MailSink.start()
})
beforeEach(() => {
  mails.mails.length = 0
  mails.answer = () => 'take'
  mails.refuses = () => undefined
})
afterAll(() => mails[Symbol.asyncDispose]())

const from = 'Books <books@library.example>'
const to = 'reader@example.com'
const email = (options = {}) => emailChannel({ smtpUrl: mails.url, from, ...options })
const mailed = (some: Partial<DueNotice> = {}) => notice({ email: to, locale: 'en', ...some })

/** Only boundaries are random. */
const settled = (raw: string) => raw.replaceAll(/--_NmP-[0-9a-f]+-Part_1/g, '--BOUNDARY')
const headOf = (raw: string) => raw.slice(0, raw.indexOf('\r\n\r\n'))
const headersOf = (raw: string) =>
  headOf(raw)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
const crlf = (text: string) => text.replaceAll('\n', '\r\n')
const fromQuotedPrintable = (text: string) =>
  Buffer.from(
    text
      .replaceAll('=\r\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString()

test('a mail is what RFC 5322 and its reader expect, byte by byte', async () => {
  expect(await deliver(email(), mailed())).toEqual([
    { type: 'sent', answer: expect.stringMatching(/^250 .*OK/) },
  ])
  const { raw, messageId, to: recipients } = mails.mails[0]!
  expect(messageId).toBe(`<${noticeid}@library.example>`)
  expect(recipients).toEqual([to])
  const [preamble, text, html, end] = settled(raw).split('\r\n----BOUNDARY')
  expect(preamble).toBe(
    crlf(`Auto-Submitted: auto-generated
List-Unsubscribe: <mailto:books@library.example?subject=unsubscribe%20test1>
From: Books <books@library.example>
To: reader@example.com
Subject: Your reservation of B1 is confirmed
Message-ID: <${noticeid}@library.example>
Date: Fri, 02 Jan 2026 03:04:05 +0000
MIME-Version: 1.0
Content-Type: multipart/alternative;
 boundary="--BOUNDARY"
`),
  )
  const message = writeMessage(mailed(), 'en')
  const plain = '\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n'
  expect(text).toBe(crlf(plain + message.text))
  const quoted = '\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n'
  expect(html!.startsWith(crlf(quoted))).toBe(true)
  expect(fromQuotedPrintable(html!.slice(crlf(quoted).length))).toBe(crlf(message.html))
  expect(end).toBe('--\r\n')
})

test("a mail is in its reader's language, and ASCII on the wire", async () => {
  await deliver(email(), mailed({ locale: 'ko' }))
  const { raw } = mails.mails[0]!
  expect(raw).toMatch(/^Subject: (=\?UTF-8\?[BQ]\?[\x21-\x7e]+\?=\s+)+/m)
  expect(raw).not.toMatch(/[^\r\n\t\x20-\x7e]/)
  expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
})

test('a sender of a Korean domain is ASCII in every header and in the envelope', async () => {
  await deliver(email({ from: '도서관 <no-reply@도서관.kr>' }), mailed())
  const [mail] = mails.mails
  const head = headOf(mail!.raw)
  expect(head).toMatch(/^[\r\n\t\x20-\x7e]*$/)
  for (const header of [
    /^From: .*<no-reply@xn--zb0b81k2qm\.kr>$/m,
    /^Message-ID: <[^@]+@xn--zb0b81k2qm\.kr>$/m,
    /^List-Unsubscribe: <mailto:no-reply@xn--zb0b81k2qm\.kr\?/m,
  ])
    expect(head).toMatch(header)
})

test('with a page for it, one click unsubscribes the customer', async () => {
  const unsubscribeUrl = 'https://library.example/unsubscribe?user={userid}'
  await deliver(email({ unsubscribeUrl }), mailed({ userid: 'a&b>c' }))
  expect(headersOf(mails.mails[0]!.raw)).toEqual(
    expect.arrayContaining([
      'List-Unsubscribe: <https://library.example/unsubscribe?user=a%26b%3Ec>, <mailto:books@library.example?subject=unsubscribe%20a%26b%3Ec>',
      'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
    ]),
  )
})

test('the token proves to the page that the request comes from a mail to the customer', async () => {
  const secret = `whsec_${Buffer.alloc(24, 'u').toString('base64')}`
  const unsubscribeUrl = 'https://library.example/unsubscribe?user={userid}&token={token}'
  await deliver(email({ unsubscribeUrl, secret }), mailed(), mailed({ userid: 'test2' }))
  const tokens = mails.mails.map(({ raw }) => /token=([\w-]+)>/.exec(raw)![1])
  const expected = (userid: string) =>
    createHmac('sha256', Buffer.alloc(24, 'u')).update(`unsubscribe/${userid}`).digest('base64url')
  expect(tokens.toSorted()).toEqual([expected('test1'), expected('test2')].toSorted())
})

test('a purchase request goes to the purchaser, who does not unsubscribe', async () => {
  const whose = { userid: null, reservationid: null, email: 'buyer@example.com' }
  const asking = notice({ kind: 'purchase-requested', ...whose, shortage: 3 })
  const [outcome] = await deliver(email(), asking)
  expect(outcome!.type).toBe('sent')
  expect(mails.mails[0]!.to).toEqual(['buyer@example.com'])
  expect(mails.mails[0]!.raw).not.toContain('List-Unsubscribe')
})

test('no id can add a header, a recipient or markup', async () => {
  const bookid = `x\r\nBcc: thief@example.com\r\n\r\n${sly}`
  const userid = 'x>\r\nBcc: thief@example.com'
  await deliver(email(), mailed({ bookid, userid }))
  const { raw, to: recipients } = mails.mails[0]!
  expect(recipients).toEqual([to])
  const names = headersOf(raw).map((line) => line.split(':')[0])
  expect(names.toSorted()).toEqual([
    'Auto-Submitted',
    'Content-Type',
    'Date',
    'From',
    'List-Unsubscribe',
    'MIME-Version',
    'Message-ID',
    'Subject',
    'To',
  ])
  const html = fromQuotedPrintable(raw.slice(raw.indexOf('text/html')))
  expect(html).not.toMatch(/<b>|&lt;|https?:|evil\.example|thief@/)
})

test('no address can name a second recipient', async () => {
  for (const address of [
    'a@example.com, thief@example.com',
    'a@example.com\r\nRCPT TO:<thief@example.com>',
  ]) {
    await deliver(email(), mailed({ email: address }))
  }
  expect(mails.mails.flatMap((it) => it.to)).not.toContain('thief@example.com')
})

test('a notice whose address is gone fails', async () => {
  expect(await deliver(email(), notice())).toEqual([
    { type: 'failed', error: 'The e-mail address is no longer known' },
  ])
})

test('a notice for operators goes to no other person when their address is gone', async () => {
  const config = toConfig(
    'notifier',
    {
      DATABASE_URL: 'postgres://nowhere',
      REDIS_URL: 'redis://nowhere',
      SMTP_URL: mails.url,
      PURCHASER_EMAIL: 'buyer@example.com',
    },
    notifierSettings,
  )
  const channel = openChannels(config, () => new Date()).find((it) => it.name === 'email')!
  const gone = notice({ kind: 'delivery-failed', userid: null, reservationid: null, details: failure })
  expect(await deliver(channel, gone)).toMatchObject([{ type: 'failed' }])
  expect(mails.mails).toEqual([])
})
const failure = { type: 'failure', noticeid, kind: 'reserved', channel: 'sms', more: 0 } as const

test('many mails share few connections', async () => {
  const before = mails.connections
  const outcomes = await deliver(email({ concurrent: 3 }), mailed(), mailed(), mailed())
  expect(outcomes.map((it) => it.type)).toEqual(['sent', 'sent', 'sent'])
  const channel = email({ concurrent: 3 })
  for (let i = 0; i < 20; i++) await channel.deliver(mailed())
  channel.close!()
  expect(mails.connections - before).toBeLessThanOrEqual(4)
  expect(mails.mails).toHaveLength(23)
})

test.each([
  ['a recipient refused for good', 550, 'failed'],
  ['a recipient refused for now', 450, 'retry'],
  ['a mailbox that is full', 452, 'retry'],
])('%s (%i) means %s, and the server is not at fault', async (_, code, type) => {
  mails.refuses = () => code
  const channel = email({ breaker: { failuresMax: 1, restMs: 60_000 } })
  expect(await channel.deliver(mailed())).toEqual({
    type,
    error: `Cannot send e-mail: ${code}`,
    answer: `${code} <r***@example.com> is refused`,
  })
  mails.refuses = () => undefined
  expect(await deliver(channel, mailed())).toMatchObject([{ type: 'sent' }])
})

test.each([
  ['refused for good', 554, 'failed'],
  ['put off', 451, 'retry'],
  ['met by a closing server', 421, 'retry'],
  ['never answered', 'hang', 'retry'],
  ['answered by half', 'cut', 'retry'],
] as const)('a mail that is %s (%s) comes to %s', async (_, answer, type) => {
  mails.answer = () => answer
  const [outcome] = await deliver(email({ limitMs: 200 }), mailed())
  expect(outcome).toMatchObject({ type })
  expect(mails.mails).toHaveLength(1)
  // A receiver that has the mail already recognizes the retry.
  mails.answer = () => 'take'
  await deliver(email(), mailed({ attempts: 2 }))
  expect(new Set(mails.mails.map((it) => it.messageId)).size).toBe(1)
})

/** A server with a scripted conversation, line by line. */
async function talking(talk: (socket: Socket) => void): Promise<{ url: string } & AsyncDisposable> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    talk(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test.each<[string, (socket: Socket) => void]>([
  ['never says a word', () => {}],
  ['says half a word', (socket) => socket.write('22')],
  ['hangs up at once', (socket) => socket.end()],
  ['is closing', (socket) => socket.end('421 4.3.2 Closing\r\n')],
  ['speaks something else', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  [
    'hangs up in the middle of the mail',
    (socket) => {
      socket.write('220 ready\r\n')
      socket.on('data', (data) => {
        const line = data.toString()
        if (/^(EHLO|MAIL|RCPT)/.test(line)) socket.write('250 ok\r\n')
        else if (line.startsWith('DATA')) socket.write('354 go on\r\n')
        else socket.destroy()
      })
    },
  ],
])('a server that %s is retried later, and counts as down', async (_, talk) => {
  await using server = await talking(talk)
  const breaker = { failuresMax: 1, restMs: 60_000 }
  const channel = email({ smtpUrl: server.url, limitMs: 200, breaker })
  expect(await channel.deliver(mailed())).toMatchObject({ type: 'retry' })
  expect(await deliver(channel, mailed())).toMatchObject([{ type: 'deferred' }])
})

test('a missing server is reported', async () => {
  expect(await deliver(email({ smtpUrl: 'smtp://127.0.0.1:1' }), mailed())).toMatchObject([
    { type: 'retry', error: 'Cannot send e-mail: ESOCKET' },
  ])
})

test.each([
  ['STARTTLS', false],
  ['smtps', true],
])('with %s the mail and the password are encrypted, to a trusted server', async (_, secure) => {
  const user = { name: 'books', password: 'open-sesame' }
  await using server = await MailSink.start({ certificate, secure, user })
  const smtpUrl = server.url
  expect(await deliver(email({ smtpUrl }), mailed())).toMatchObject([{ type: 'retry' }])
  expect(server.mails).toHaveLength(0)
  const known = getCACertificates('default')
  setDefaultCACertificates([...known, certificate.ca])
  try {
    expect(await deliver(email({ smtpUrl }), mailed())).toMatchObject([{ type: 'sent' }])
  } finally {
    setDefaultCACertificates(known)
  }
  expect([server.mails.length, server.encrypted]).toEqual([1, 1])
})

test('a password is not sent in the clear', async () => {
  const user = { name: 'books', password: 'open-sesame' }
  await using server = await MailSink.start({ user })
  const outcomes = await deliver(email({ smtpUrl: server.url }), mailed())
  expect(outcomes).toMatchObject([{ type: 'retry', error: 'Cannot send e-mail: ETLS 500' }])
})

test('notices wait until the operator has fixed a refused password', async () => {
  const user = { name: 'books', password: 'open-sesame' }
  await using server = await MailSink.start({ certificate, user })
  const known = getCACertificates('default')
  setDefaultCACertificates([...known, certificate.ca])
  try {
    const smtpUrl = server.url.replace('open-sesame', 'wrong-secret')
    const [outcome] = await deliver(email({ smtpUrl }), mailed())
    expect(outcome).toMatchObject({ type: 'retry', error: 'Cannot send e-mail: EAUTH 535' })
    expect(JSON.stringify(outcome)).not.toContain('wrong-secret')
  } finally {
    setDefaultCACertificates(known)
  }
})
