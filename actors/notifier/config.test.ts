import { expect, test } from 'vitest'
import { ConfigError, toConfig } from '../../platform/config.ts'
import { notifierSettings } from './config.ts'

const servers = { DATABASE_URL: 'postgres://localhost/books', REDIS_URL: 'redis://localhost' }
const configOf = (env: Record<string, string>) =>
  toConfig('notifier', { ...servers, ...env }, notifierSettings)

test.each([
  ['SLACK_WEBHOOK_URL', 'https://'],
  ['DISCORD_WEBHOOK_URL', 'https:///api/webhooks/1'],
  ['TEAMS_WEBHOOK_URL', 'https://user:secret@teams.example/'],
  ['CHAT_WEBHOOK_URL', 'http://chat.example:99999/'],
  ['SOLAPI_URL', 'https://?'],
  ['OPERATOR_PHONE', '+12135551234'],
  ['OPERATOR_EMAIL', 'josé@library.example'],
  ['PURCHASER_EMAIL', 'buyer'],
  ['MAIL_FROM', 'Library'],
  ['LIBRARY_TIMEZONE', 'Seoul'],
  ['MAIL_FROM', 'Library <도서관@library.example>'],
])('%s=%s is refused at the start, since nothing could be delivered with it', (name, value) => {
  const [fault, ...others] = faultsOf({ ...servers, [name]: value })
  expect(fault).toMatch(new RegExp(`^${name} must be `))
  expect(fault).not.toContain('secret')
  expect(others).toEqual([])
})

test('addresses are kept as delivery needs them', () => {
  const env = { ...servers, OPERATOR_PHONE: '+82 010-1234-5678', OPERATOR_EMAIL: 'op@한국.kr' }
  expect(configOf(env)).toMatchObject({
    operatorPhone: '+821012345678',
    operatorEmail: 'op@xn--3e0b707e.kr',
  })
})

test('settings that need others name them', () => {
  expect(faultsOf({ ...servers, SOLAPI_API_KEY: 'KEY' })).toEqual([
    'SOLAPI_API_SECRET is not set, but SOLAPI_API_KEY needs it',
    'SOLAPI_FROM is not set, but SOLAPI_API_KEY needs it',
  ])
  expect(faultsOf({ ...servers, SOLAPI_FROM: '02-123' })).toEqual([
    'SOLAPI_API_KEY is not set, but SOLAPI_FROM needs it',
    'SOLAPI_API_SECRET is not set, but SOLAPI_FROM needs it',
  ])
  expect(faultsOf({ ...servers, KAKAO_PF_ID: 'PF' })).toHaveLength(4)
  expect(faultsOf({ ...servers, KAKAO_TEMPLATES: 'reserved=ID' })).toEqual([
    'KAKAO_PF_ID is not set, but KAKAO_TEMPLATES needs it',
  ])
})

test('production does not start while webhooks may be in the private network', () => {
  const production = {
    ...servers,
    PRODUCTION: 'True',
    IDENTITY: 'on',
    API_TOKENS: `kiosk:service:${'0'.repeat(64)}`,
  }
  expect(faultsOf({ ...production, WEBHOOK_ALLOW_PRIVATE: 'true' })).toEqual([
    'WEBHOOK_ALLOW_PRIVATE must be false with PRODUCTION=true: otherwise customers reach the network of the notifier',
  ])
  expect(configOf(production).webhookAllowPrivate).toBe(false)
})

test('lists of settings are read by name, and what is wrong in them is named', () => {
  const env = { ...servers, CHANNEL_RATES: 'slack=0.5, email=50', WEBHOOK_SECRETS: secret, ...kakao }
  expect(configOf(env)).toMatchObject({
    channelRates: { slack: 0.5, email: 50 },
    webhookSecrets: [secret],
    channelSettings: {
      KAKAO_TEMPLATES: { reserved: 'A', 'reserved.en': 'B' },
      KAKAO_SMS_FALLBACK: 'true',
      SOLAPI_URL: 'https://api.solapi.com',
      SOLAPI_FROM: '02-123',
    },
  })
  const example = 'must be like email=50,slack=1, with numbers from 0.01 to 10000'
  expect(faultsOf({ ...servers, CHANNEL_RATES: 'slack=fast,pigeon=1' })).toEqual([
    `CHANNEL_RATES.slack ${example}`,
    `CHANNEL_RATES.pigeon ${example}`,
  ])
  expect(faultsOf({ ...servers, WEBHOOK_SECRETS: `${secret} whsec_short` })).toEqual([
    'WEBHOOK_SECRETS.1 must be like whsec_… with base64 of 24 to 64 bytes',
  ])
})
const secret = `whsec_${Buffer.alloc(24).toString('base64')}`
const kakao = {
  SOLAPI_API_KEY: 'KEY',
  SOLAPI_API_SECRET: 'SECRET',
  SOLAPI_FROM: '02-123',
  KAKAO_PF_ID: 'PF',
  KAKAO_TEMPLATES: 'reserved=A,reserved.en=B',
}

test.each([
  ['SMTP_URL', 'ftp://user:SECRET@host'],
  ['SMTP_URL', 'smtp://user:SEC#RET@host'],
  ['SMTP_URL', 'smtp://user:SEC%RET@host'],
  ['SMTP_URL', 'smtp://user:12#RET@host'],
  ['SMTP_URL', 'smtp://'],
  ['CHAT_WEBHOOK_URL', 'https://user:SEC#RET@host/hook'],
  ['CHAT_WEBHOOK_URL', 'SECRET'],
  ['SLACK_WEBHOOK_URL', 'https://'],
  ['DISCORD_WEBHOOK_URL', 'https://:443/SECRET'],
  ['TEAMS_WEBHOOK_URL', 'https:// /SECRET'],
  ['SOLAPI_URL', 'http://user:SEC/RET@host'],
  ['UNSUBSCRIBE_URL', 'https://host:SECRET/{userid}'],
])(
  'a URL that cannot be used is refused by the name of its setting, and not repeated: %s=%s',
  (name, value) => {
    const faults = faultsOf({ ...servers, [name]: value })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(new RegExp(`^${name} (must|has) `))
    expect(faults[0]).not.toMatch(/SEC|RET/)
  },
)

test('URLs that can be used are taken as they are', () => {
  const good = {
    SMTP_URL: 'smtps://user%40host:p%23%25@mail.example:465?tls.rejectUnauthorized=false',
    SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/a/b/c',
    CHAT_WEBHOOK_URL: 'http://[::1]:8080/hook?x=1',
    UNSUBSCRIBE_URL: 'https://library.example/unsubscribe?user={userid}',
  }
  expect(configOf(good).channelSettings).toMatchObject(good)
})

test('a list of secrets may have one per line', () => {
  expect(configOf({ WEBHOOK_SECRETS: `${secret}\n${secret}` }).webhookSecrets).toHaveLength(2)
})

test('a quoted name of a sender is kept', () => {
  const MAIL_FROM = '"Library, Seoul" <a@b.kr>'
  expect(configOf({ MAIL_FROM }).channelSettings).toMatchObject({ MAIL_FROM })
})

test('a token that no header can carry is refused', () => {
  for (const ALERT_TOKEN of ['가'.repeat(16), 'x'.repeat(5_000), 'short'])
    expect(faultsOf({ ...servers, ALERT_TOKEN })).toEqual([
      'ALERT_TOKEN must be 16 to 4000 printable ASCII characters',
    ])
})

test('faults of shared and of own settings are listed at once', () => {
  const faults = faultsOf({ PORT: '70000', SMTP_URL: 'ftp://host', SOLAPI_URL: '?' })
  expect(faults.map((it) => it.split(' ')[0])).toEqual([
    'PORT',
    'DATABASE_URL',
    'REDIS_URL',
    'SOLAPI_URL',
    'SMTP_URL',
  ])
})

function faultsOf(env: Record<string, string>): string[] {
  try {
    toConfig('notifier', env, notifierSettings)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  throw new Error('No fault was found')
}
