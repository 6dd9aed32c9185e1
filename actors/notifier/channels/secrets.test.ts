/** Receivers that fail in every way and echo what they were sent: none of it may appear in our outcomes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toConfig } from '../../../platform/config.ts'
import { MailSink } from '../../../tests/doubles/mail-sink.ts'
import { type Answering, WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import { notifierSettings } from '../config.ts'
import { openChannels } from './all.ts'
import { secretFor } from './signing.ts'
import { notice } from './testing.ts'

const webhookSecret = `whsec_${Buffer.alloc(24, 'w').toString('base64')}`
const secrets = {
  password: 'Sm7pPassw0rd',
  chat: 'chat-t0ken-1a2b3c',
  slack: 'T0123ABC/B0456DEF/s1ackT0kenXyz',
  discord: 'd1sc0rdT0ken_abc',
  teams: 'te4msS1gnature-xyz',
  solapi: 'S0lapiSecretAbcdef0123456789',
  customer: 'cust0mer-t0ken',
  webhook: webhookSecret,
  derived: secretFor('test1', webhookSecret),
}

let mails: MailSink
let hooks: WebhookSink
beforeAll(async () => {
  mails = await MailSink.start({ user: { name: 'books', password: 'another' } })
  hooks = await WebhookSink.start()
})
afterAll(async () => {
  await mails[Symbol.asyncDispose]()
  await hooks[Symbol.asyncDispose]()
})

function channels() {
  const at = (path: string) => new URL(path, hooks.url).href
  return openChannels(
    toConfig(
      'notifier',
      {
        DATABASE_URL: 'postgres://localhost/books',
        REDIS_URL: 'redis://localhost',
        SMTP_URL: mails.url.replace('another', secrets.password),
        CHAT_WEBHOOK_URL: at(`/hook/${secrets.chat}`),
        SLACK_WEBHOOK_URL: at(`/services/${secrets.slack}`),
        DISCORD_WEBHOOK_URL: at(`/api/webhooks/1/${secrets.discord}`),
        TEAMS_WEBHOOK_URL: at(`/workflows/invoke?sig=${secrets.teams}`),
        SOLAPI_URL: at('/'),
        SOLAPI_API_KEY: 'KEY',
        SOLAPI_API_SECRET: secrets.solapi,
        SOLAPI_FROM: '02-1234-5678',
        KAKAO_PF_ID: 'KA01PF',
        KAKAO_TEMPLATES: 'reserved=KA01TP',
        WEBHOOK_SECRETS: secrets.webhook,
        WEBHOOK_ALLOW_PRIVATE: 'true',
        CHANNEL_TIMEOUTS_MS:
          'email=300,webhook=100,sms=100,kakao=100,slack=100,discord=100,teams=100,chat=100',
      },
      notifierSettings,
    ),
    () => new Date(),
  )
}

/** Echoes the request in every place where a receiver may put text. */
const echo =
  (status: number): Answering =>
  ({ path, headers, raw }, response) => {
    const said = `${path} ${headers.authorization ?? ''} ${headers['webhook-signature'] ?? ''} ${raw}`
    const words = { message: said, code: said, errorCode: said, errorMessage: said, error: { code: path } }
    const failed = [{ statusCode: '1000', statusMessage: 'no' }]
    response
      .writeHead(status, { location: path, 'retry-after': path })
      .end(JSON.stringify({ ...words, failedMessageList: failed }))
  }
const path: Answering = (hook, response) => response.writeHead(400).end(hook.path.split('/').at(-1))

test.each<[string, Answering]>([
  ['take it', (_, response) => response.writeHead(204).end()],
  ['send it elsewhere', echo(302)],
  ['accept no client', echo(401)],
  ['say a token for a word', path],
  ['are full', echo(429)],
  ['break', echo(500)],
  ['understand and refuse', echo(200)],
  ['hang', () => {}],
  ['hang up', (_, response) => response.destroy()],
])('from receivers that %s, no outcome contains a secret or an address', async (_, answer) => {
  hooks.answer = answer
  const due = notice({
    email: 'reader@example.com',
    phone: '+821012345678',
    webhook: new URL(`/hook/${secrets.customer}?key=${secrets.customer}`, hooks.url).href,
  })
  const open = channels()
  const outcomes = await Promise.all(open.map((channel) => channel.deliver(due)))
  for (const channel of open) channel.close?.()
  expect(open.map((it) => it.name)).toEqual([
    'kakao',
    'email',
    'webhook',
    'sms',
    'slack',
    'discord',
    'teams',
    'chat',
  ])
  const shown = JSON.stringify(outcomes)
  for (const secret of [...Object.values(secrets), 'reader@', '12345678', '127.0.0.1', '/hook']) {
    expect(shown).not.toContain(secret)
    expect(shown).not.toContain(Buffer.from(secret).toString('base64'))
  }
})

test('no fault of the settings repeats a secret', () => {
  const wrong = {
    SMTP_URL: `ftp://books:${secrets.password}@host`,
    SLACK_WEBHOOK_URL: `ftp://host/${secrets.slack}`,
    WEBHOOK_SECRETS: secrets.customer,
    SOLAPI_API_SECRET: secrets.solapi,
    SOLAPI_API_KEY: `${secrets.solapi}!`,
    UNSUBSCRIBE_URL: `http://host/${secrets.customer}`,
  }
  expect(() => toConfig('notifier', wrong, notifierSettings)).toThrow(
    expect.objectContaining({
      message: expect.not.stringMatching(Object.values(secrets).join('|').replaceAll('+', '\\+')),
    }),
  )
})
