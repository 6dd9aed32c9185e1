import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { MailSink } from '../../testing/mail-sink.ts'
import { WebhookSink } from '../../testing/webhook-sink.ts'
import type { Channel, DueNotice, Outcome } from '../delivery.ts'
import { consoleTeller } from './console.ts'
import { emailChannel } from './email.ts'
import { chatChannel, webhookChannel } from './webhook.ts'

const noticeid = '01989d5e-1c2b-8abc-8def-0123456789ab'
const notice = (some: Partial<DueNotice> = {}): DueNotice => ({
  noticeid,
  seq: 1,
  attempts: 1,
  kind: 'reserved',
  bookid: 'B1',
  userid: 'test1',
  reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
  reason: null,
  shortage: null,
  createdAt: new Date('2026-01-02T03:04:05Z'),
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
  email: null,
  webhook: null,
  phone: null,
  locale: null,
  ...some,
})

let mails: MailSink
let hooks: WebhookSink
beforeAll(async () => {
  mails = await MailSink.start()
  hooks = await WebhookSink.start()
})
beforeEach(() => {
  mails.mails.length = 0
  hooks.hooks.length = 0
  hooks.answer = (_, response) => response.writeHead(204).end()
})
afterAll(async () => {
  await mails[Symbol.asyncDispose]()
  await hooks[Symbol.asyncDispose]()
})

async function deliver(channel: Channel, ...notices: DueNotice[]): Promise<Outcome[]> {
  try {
    return await Promise.all(notices.map((it) => channel.deliver(it)))
  } finally {
    channel.close?.()
  }
}
const from = 'Books <books@library.example>'
const email = (options = {}) => emailChannel({ smtpUrl: mails.url, from, ...options })
const webhook = (options = {}) => webhookChannel({ allowPrivate: true, ...options })
const hooked = (some: Partial<DueNotice> = {}) => notice({ webhook: hooks.url, ...some })

test('the console tells in the original lines, with reservation, user, book and trace', () => {
  const told: [object, string][] = []
  let written = 0
  const tell = consoleTeller({
    log: { info: (facts, text) => told.push([facts, text]) },
    flush: () => {
      written = told.length
    },
  })
  const kinds = ['reserved', 'cancelled', 'failed', 'purchase-requested'] as const
  tell(kinds.map((kind) => notice({ kind })))
  expect(written).toBe(4)
  expect(told.map(([, text]) => text)).toEqual([
    '##### 예약 완료 되었습니다 #####',
    '##### 예약 취소 되었습니다 #####',
    '##### 예약 실패 하였습니다 #####',
    '##### 구매 요청 하였습니다 #####',
  ])
  expect(told[0]![0]).toMatchObject({
    reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
    userid: 'test1',
    bookid: 'B1',
    traceid: '0af7651916cd43dd8448eb211c80319c',
  })
})

test('an e-mail carries a Message-ID made of the noticeid, and speaks the language of its reader', async () => {
  const to = 'reader@example.com'
  expect(await deliver(email(), notice({ email: to, locale: 'en' }))).toEqual([{ type: 'sent' }])
  expect(mails.mails).toHaveLength(1)
  const [mail] = mails.mails
  expect(mail).toMatchObject({ messageId: `<${noticeid}@library.example>`, to: [to] })
  expect(mail!.subject).toBe('Your reservation of B1 succeeded')
  expect(mail!.raw).toContain('text/plain')
  expect(mail!.raw).toContain('text/html')
})

test('a purchase request goes to the purchaser', async () => {
  const asking = notice({ kind: 'purchase-requested', userid: null, reservationid: null, shortage: 3 })
  expect(await deliver(email({ purchaserEmail: 'buyer@example.com' }), asking)).toEqual([{ type: 'sent' }])
  expect(mails.mails[0]!.to).toEqual(['buyer@example.com'])
})

test('no id can add a header or a recipient', async () => {
  const sly = { bookid: 'x\r\nBcc: thief@example.com', email: 'a@example.com' }
  await deliver(email(), notice({ ...sly, locale: 'en' }))
  expect(mails.mails[0]!.to).toEqual(['a@example.com'])
  const [head] = mails.mails[0]!.raw.split('\r\n\r\n')
  expect(head).not.toMatch(/^bcc:/im)
  expect(head).toMatch(/^subject: .*Bcc: thief@example.com/im)
})

test('a notice whose address is gone fails', async () => {
  expect(await deliver(email(), notice())).toMatchObject([{ type: 'failed' }])
  expect(await deliver(webhook(), notice())).toMatchObject([{ type: 'failed' }])
})

test('a mail server that is silent or absent costs no more than the limit, and is retried', async () => {
  const silent = createServer(() => {})
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const port = (silent.address() as AddressInfo).port
  const to = notice({ email: 'a@example.com' })
  const channel = emailChannel({ smtpUrl: `smtp://127.0.0.1:${port}`, from, limitMs: 100 })
  expect(await deliver(channel, to)).toMatchObject([{ type: 'retry' }])
  silent.close()
  expect(await deliver(emailChannel({ smtpUrl: 'smtp://127.0.0.1:1', from }), to)).toEqual([
    { type: 'retry', error: 'Cannot send e-mail: ESOCKET' },
  ])
})

test('a receiver that is down gets a rest after some failures, and is not tried meanwhile', async () => {
  const breaker = { failuresMax: 2, restMs: 60_000 }
  const channel = emailChannel({ smtpUrl: 'smtp://127.0.0.1:1', from, breaker })
  expect(channel.restMs!()).toBe(0)
  const outcomes: string[] = []
  for (let i = 0; i < 3; i++) outcomes.push((await channel.deliver(notice({ email: 'a@example.com' }))).type)
  expect(outcomes).toEqual(['retry', 'retry', 'deferred'])
  expect(channel.restMs!()).toBeGreaterThan(50_000)
})

test('a dead host of one customer costs the others nothing', async () => {
  const channel = webhook({ breaker: { failuresMax: 1, restMs: 60_000 } })
  const dead = notice({ webhook: 'http://127.0.0.1:1/' })
  expect(await channel.deliver(dead)).toEqual({
    type: 'retry',
    error: 'Cannot call the webhook: ECONNREFUSED',
  })
  expect(await channel.deliver(dead)).toMatchObject({ type: 'deferred' })
  expect(await deliver(channel, hooked())).toEqual([{ type: 'sent' }])
})

test('a webhook is given the notice as JSON, under the noticeid', async () => {
  expect(await deliver(webhook(), hooked({ locale: 'en' }))).toEqual([{ type: 'sent' }])
  const [hook] = hooks.hooks
  expect(hook!.headers).toMatchObject({
    'content-type': 'application/json',
    'idempotency-key': noticeid,
    'webhook-id': noticeid,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
  })
  expect(hook!.body).toMatchObject({ noticeid, kind: 'reserved', bookid: 'B1', userid: 'test1' })
  expect(hook!.body.text).toContain('Your reservation of B1 succeeded')
})

test.each([
  [200, 'sent'],
  [302, 'retry'],
  [400, 'failed'],
  [408, 'retry'],
  [410, 'failed'],
  [429, 'retry'],
  [500, 'retry'],
  [503, 'retry'],
])('an answer of %i means %s', async (status, type) => {
  hooks.answer = (_, response) => response.writeHead(status, { location: '/elsewhere' }).end()
  expect(await deliver(webhook(), hooked())).toMatchObject([{ type }])
  expect(hooks.hooks).toHaveLength(1)
})

test('a webhook that does not answer costs no more than the limit', async () => {
  hooks.answer = () => {}
  expect(await deliver(webhook({ limitMs: 50 }), hooked())).toEqual([
    { type: 'retry', error: 'Cannot call the webhook: no answer within 50 ms' },
  ])
})

test('an endless answer is not read to its end', async () => {
  const closed = Promise.withResolvers<number>()
  hooks.answer = (_, response) => {
    let bytes = 0
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384))) bytes += 16_384
    }
    response.on('drain', more).on('close', () => closed.resolve(bytes))
    more()
  }
  const channel = webhook()
  expect(await channel.deliver(hooked())).toEqual({ type: 'sent' })
  expect(await closed.promise).toBeLessThan(16 * 1024 * 1024)
  channel.close!()
})

test("a customer's webhook must be https and public, the operator's may be anywhere", async () => {
  const strict = () => webhookChannel({ allowPrivate: false })
  expect(await deliver(strict(), hooked())).toEqual([{ type: 'failed', error: 'the webhook is not https' }])
  expect(await deliver(strict(), notice({ webhook: 'https://localhost/' }))).toMatchObject([
    { type: 'failed' },
  ])
  expect(await deliver(strict(), notice({ webhook: 'https://[::ffff:10.0.0.1]/' }))).toMatchObject([
    { type: 'failed' },
  ])
  expect(await deliver(chatChannel({ url: hooks.url }), notice())).toEqual([{ type: 'sent' }])
})
