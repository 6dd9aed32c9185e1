/** AlimTalk and text messages, against a server that checks what SOLAPI checks. */
import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Hook, WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import type { DueNotice } from '../delivery/delivery.ts'
import { kakaoChannel } from './kakao.ts'
import { smsChannel, textOf } from './sms.ts'
import { alarming, deliver, notice, noticeid, sly } from './testing.ts'

let server: WebhookSink
let usedSalts: Set<string>
beforeAll(async () => {
  server = await WebhookSink.start()
})
beforeEach(() => {
  server.hooks.length = 0
  usedSalts = new Set()
  server.answer = solapi
})
afterAll(() => server[Symbol.asyncDispose]())

const apiKey = 'NCSAYU7YDBXYORXC'
const apiSecret = 'secret-of-the-account'
const account = () => ({ url: new URL(server.url).origin, apiKey, apiSecret, from: '02-1234-5678' })
const sms = (options = {}) => smsChannel({ account: account(), ...options })
const kakao = (options = {}) =>
  kakaoChannel({
    account: account(),
    pfId: 'KA01PF',
    templates: { reserved: 'KA01TP1', 'reserved.en': 'KA01TP2', cancelled: 'KA01TP3' },
    smsFallback: true,
    ...options,
  })
const called = (some: Partial<DueNotice> = {}) => notice({ phone: '+821012345678', ...some })

type Message = {
  to: string
  from: string
  type: string
  text?: string
  kakaoOptions?: Record<string, unknown>
}
const messageOf = ({ body }: Hook) => (body.messages as Message[])[0]!

function solapi(hook: Hook, response: ServerResponse): void {
  const say = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  const refuse = (status: number, errorCode: string) => say(status, { errorCode, errorMessage: '오류' })
  const { path, headers, body } = hook
  const given = /^HMAC-SHA256 apiKey=(\w+), date=(\S+), salt=(\w+), signature=([0-9a-f]{64})$/
  const [, key, date, salt, signature] = given.exec(headers.authorization ?? '') ?? []
  const messages = body.messages as Message[] | undefined
  const fine = messages?.every(({ to, from }) => /^[0-9]{3,20}$/.test(to) && /^[0-9]{3,20}$/.test(from))
  if (path !== '/messages/v4/send-many/detail') refuse(404, 'ResourceNotFound')
  else if (!date || !salt) refuse(401, 'Unauthorized')
  else if (key !== apiKey) refuse(403, 'InvalidAPIKey')
  else if (!(Math.abs(Date.now() - Date.parse(date)) < 15 * 60_000)) refuse(403, 'RequestTimeTooSkewed')
  else if (salt.length < 12 || salt.length > 64) refuse(403, 'InvalidSalt')
  else if (
    createHmac('sha256', apiSecret)
      .update(date + salt)
      .digest('hex') !== signature
  )
    refuse(403, 'SignatureDoesNotMatch')
  else if (usedSalts.has(salt)) refuse(403, 'DuplicatedSignature')
  else if (headers['content-type'] !== 'application/json' || !fine) refuse(400, 'ValidationError')
  else {
    usedSalts.add(salt)
    const failedMessageList = messages!.map(faultOf).filter((it) => it !== undefined)
    say(200, { failedMessageList, groupInfo: { groupId: 'G4V20261124', count: { total: messages!.length } } })
  }
}

/** In EUC-KR, a letter that is not ASCII takes two bytes. */
const bytesIn = (text: string) => [...text].reduce((sum, it) => sum + (it.codePointAt(0)! < 128 ? 1 : 2), 0)

/** The fault that SOLAPI finds in a message that it understands. */
function faultOf({ to, from, type, text, kakaoOptions }: Message) {
  const fault = (statusCode: string, statusMessage: string) => ({ to, from, type, statusCode, statusMessage })
  const short = { SMS: 90, LMS: 2_000 }[type]
  if (from !== '0212345678') return fault('1062', '발신번호 미등록')
  if (to === '01000000000') return fault('1026', '수신번호 01000000000 오류')
  if (type === 'ATA') return kakaoOptions?.pfId === 'KA01PF' ? undefined : fault('1013', 'pfId 오류')
  return short && text && bytesIn(text) <= short ? undefined : fault('1021', '메시지 길이 초과')
}

test('a text message is what SOLAPI accepts, byte by byte', async () => {
  const short = called({ locale: 'ko' })
  expect(await deliver(sms(), short)).toEqual([{ type: 'sent', answer: 'HTTP 200 G4V20261124' }])
  const { raw, headers } = server.hooks[0]!
  const { text } = messageOf(server.hooks[0]!)
  expect(text).toContain('예약이 완료되었습니다')
  expect(raw).toBe(
    JSON.stringify({
      messages: [{ to: '01012345678', from: '0212345678', type: 'SMS', text, customFields: { noticeid } }],
    }),
  )
  expect(headers['content-length']).toBe(String(Buffer.byteLength(raw)))
})

test.each([
  ['a'.repeat(90), 'SMS'],
  ['a'.repeat(91), 'LMS'],
  ['가'.repeat(45), 'SMS'],
  [`${'가'.repeat(45)}a`, 'LMS'],
])('%s goes as %s', (title, type) => {
  expect(textOf({ title: '', text: '', html: '', short: title }).type).toBe(type)
})

test('a long notice goes as LMS, with a subject, and fits', async () => {
  expect(await deliver(sms(), called(alarming('가'.repeat(2_000))))).toMatchObject([{ type: 'sent' }])
  const { type, subject, text } = messageOf(server.hooks[0]!) as Message & { subject: string }
  expect(type).toBe('LMS')
  expect(bytesIn(subject)).toBeLessThanOrEqual(40)
  expect(bytesIn(text!)).toBeLessThanOrEqual(2_000)
  expect(text!.endsWith('…')).toBe(true)
})

test('an AlimTalk names its template and its variables, byte by byte', async () => {
  const momo = called({ title: 'Momo', author: 'Michael Ende' })
  expect(await deliver(kakao(), momo)).toMatchObject([{ type: 'sent' }])
  expect(server.hooks[0]!.raw).toBe(
    JSON.stringify({
      messages: [
        {
          to: '01012345678',
          from: '0212345678',
          type: 'ATA',
          kakaoOptions: {
            pfId: 'KA01PF',
            templateId: 'KA01TP1',
            variables: {
              '#{title}': 'Momo',
              '#{author}': 'Michael Ende',
              '#{bookid}': 'B1',
              '#{reservationid}': '01989d5e-1c2b-7abc-8def-0123456789ab',
              '#{userid}': 'test1',
              '#{reason}': '',
              '#{shortage}': '',
              '#{position}': '',
              '#{pickupBy}': '',
              '#{note}': '',
              '#{waiting}': '',
            },
            disableSms: false,
          },
          customFields: { noticeid },
        },
      ],
    }),
  )
})

test.each<[Partial<DueNotice>, string]>([
  [{ title: '모모 #{userid}' }, '모모 #(userid)'],
  [{ title: '' }, 'B1'],
  [{ reason: 'UnknownBook' }, '신청하신 도서'],
  [{ reason: 'UnknownBook', locale: 'en' }, 'your book'],
])('the title of %o in an AlimTalk is %s, never empty', async (some, title) => {
  await deliver(kakao(), called(some))
  expect(messageOf(server.hooks[0]!).kakaoOptions).toMatchObject({ variables: { '#{title}': title } })
})

test('an AlimTalk has the deadline in words, and a kind without a template fails, so that the next channel is tried', async () => {
  const pickupBy = '2026-11-30T09:00:00Z'
  const ready = called({ kind: 'ready', details: { type: 'reservation', pickupBy } })
  expect(await deliver(kakao(), ready)).toEqual([
    { type: 'failed', error: 'No AlimTalk template for notices of kind ready' },
  ])
  await deliver(kakao({ templates: { ready: 'KA01TP9' } }), ready)
  expect(messageOf(server.hooks[0]!).kakaoOptions).toMatchObject({
    templateId: 'KA01TP9',
    variables: { '#{pickupBy}': '11월 30일(월) 18:00' },
  })
})

test('an AlimTalk has the template of its kind and language', async () => {
  const channel = kakao()
  for (const some of [{ locale: 'en-GB' }, { locale: 'fr' }, { kind: 'cancelled' as const, locale: 'en' }]) {
    await channel.deliver(called(some))
  }
  const [outcome] = await deliver(channel, called({ kind: 'failed' }))
  const used = server.hooks.map((it) => messageOf(it).kakaoOptions!.templateId)
  expect(used).toEqual(['KA01TP2', 'KA01TP1', 'KA01TP3'])
  expect(outcome).toEqual({
    type: 'failed',
    error: 'No AlimTalk template for notices of kind failed',
  })
})

test('an operator can turn off the text message in place of an AlimTalk', async () => {
  await deliver(kakao({ smsFallback: false }), called())
  expect(messageOf(server.hooks[0]!).kakaoOptions).toMatchObject({ disableSms: true })
})

test("a user's text names no variable", async () => {
  await deliver(kakao(), called({ bookid: sly }))
  await deliver(sms(), called(alarming(sly)))
  const [alimtalk, text] = server.hooks.map(messageOf)
  const { variables } = alimtalk!.kakaoOptions as { variables: Record<string, string> }
  expect(variables['#{bookid}']).toMatch(/^[\w·…-]+$/)
  expect(Object.values(variables).join()).not.toContain('#{')
  expect(text!.text).not.toContain('#{')
})

test('each attempt has its own signature', async () => {
  const channel = sms()
  await channel.deliver(called())
  expect(await deliver(channel, called({ attempts: 2 }))).toMatchObject([{ type: 'sent' }])
  const [first, second] = server.hooks.map((it) => it.headers.authorization)
  expect(first).not.toBe(second)
})

test('a wrong clock is reported, and notices wait', async () => {
  const channel = sms({ now: () => Date.now() - 16 * 60_000, breaker: { failuresMax: 1, restMs: 60_000 } })
  expect(await channel.deliver(called())).toEqual({
    type: 'retry',
    error: 'SOLAPI answered 403 RequestTimeTooSkewed',
    answer: 'HTTP 403 RequestTimeTooSkewed',
  })
  expect(await deliver(channel, called())).toMatchObject([{ type: 'deferred' }])
})

test.each([
  [{ apiKey: 'WRONG' }, 'retry', 'HTTP 403 InvalidAPIKey'],
  [{ apiSecret: 'wrong' }, 'retry', 'HTTP 403 SignatureDoesNotMatch'],
  [{ from: '02' }, 'failed', 'HTTP 400 ValidationError'],
  [{ from: '029999999' }, 'failed', '1062 발신번호 미등록'],
])('an account with %o results in %s', async (wrong, type, answer) => {
  const outcomes = await deliver(smsChannel({ account: { ...account(), ...wrong } }), called())
  expect(outcomes).toMatchObject([{ type, answer }])
})

test('a 200 that accepted nothing is a failure, reported without the number', async () => {
  for (const channel of [sms(), kakao()]) {
    expect(await deliver(channel, called({ phone: '010-0000-0000' }))).toEqual([
      {
        type: 'failed',
        error: 'SOLAPI refused the message: 1026 수신번호 010****0000 오류',
        answer: '1026 수신번호 010****0000 오류',
      },
    ])
  }
})

test.each<[string, (response: ServerResponse) => void]>([
  ['is cut off', (response) => response.writeHead(200, { 'content-length': '500' }).write('{"failed')],
  ['is no JSON', (response) => response.writeHead(200).end('<html>')],
  ['says nothing of what it took', (response) => response.writeHead(200).end('{}')],
])('a 200 that %s leaves the result unknown, and is retried', async (_, answer) => {
  server.answer = (_, response) => answer(response)
  expect(await deliver(sms({ limitMs: 100 }), called())).toMatchObject([{ type: 'retry' }])
})

test.each([
  [402, 'NotEnoughBalance', 'retry'],
  [429, 'TooManyRequests', 'retry'],
  [500, 'InternalError', 'retry'],
  [503, '', 'retry'],
  [400, 'ValidationError', 'failed'],
])('from SOLAPI, %i %s means %s', async (status, errorCode, type) => {
  server.answer = (_, response) => response.writeHead(status).end(errorCode && JSON.stringify({ errorCode }))
  expect(await deliver(sms(), called())).toMatchObject([
    { type, answer: `HTTP ${status} ${errorCode}`.trim() },
  ])
})

test.each([
  [null, 'The phone number is no longer known'],
  ['+12135551234', 'The phone number is not Korean'],
  ['not a number', 'The phone number is not Korean'],
])('a phone %s fails at once: %s', async (phone, error) => {
  expect(await deliver(sms(), called({ phone }))).toEqual([{ type: 'failed', error }])
  expect(server.hooks).toHaveLength(0)
})

test.each(['01012345678', '010-1234-5678', '+82 10-1234-5678', '+821012345678'])(
  '%s is dialled as 01012345678',
  async (phone) => {
    await deliver(sms(), called({ phone }))
    expect(messageOf(server.hooks[0]!).to).toBe('01012345678')
  },
)
