import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { ConfigError, readEnv, toConfig } from './config.ts'

const servers = { DATABASE_URL: 'postgres://localhost/books', REDIS_URL: 'redis://localhost' }

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
  ['MAIL_FROM', 'Library <도서관@library.example>'],
])('%s=%s is refused at the start, since nothing could be delivered with it', (name, value) => {
  const [fault, ...others] = faultsOf({ ...servers, [name]: value })
  expect(fault).toMatch(new RegExp(`^${name} must be `))
  expect(fault).not.toContain('secret')
  expect(others).toEqual([])
})

test('addresses are kept as delivery needs them', () => {
  const env = { ...servers, OPERATOR_PHONE: '+82 010-1234-5678', OPERATOR_EMAIL: 'op@한국.kr' }
  expect(toConfig('notifier', env)).toMatchObject({
    operatorPhone: '+821012345678',
    operatorEmail: 'op@xn--3e0b707e.kr',
  })
})

test('every fault is listed at once', () => {
  const env = { REDIS_URL: 'http://localhost', PARTITIONS: 'many', LOG_LEVEL: 'loud', PORT: '70000' }
  const faults = faultsOf(env)
  expect(faults.map((it) => it.split(' ')[0]).sort()).toEqual([
    'DATABASE_URL',
    'LOG_LEVEL',
    'PARTITIONS',
    'PORT',
    'REDIS_URL',
  ])
  expect(faults).toContain(
    'DATABASE_URL is not set: it must be a URL like postgres://user:password@host:5432/database',
  )
  expect(faults).toContain('PARTITIONS must be a whole number from 1 to 1024')
})

test('servers are all that has to be set', () => {
  expect(toConfig('stock', servers)).toMatchObject({ service: 'stock', port: 8082, partitions: 4 })
})

test('an empty setting counts as not set', () => {
  expect(readEnv({ ...servers, PARTITIONS: '', UNKNOWN: 'x' })).toEqual(servers)
})

test('settings that need others name them', () => {
  expect(faultsOf({ ...servers, SOLAPI_API_KEY: 'KEY' })).toEqual([
    'SOLAPI_API_SECRET is not set, as SOLAPI_API_KEY needs it',
    'SOLAPI_FROM is not set, as SOLAPI_API_KEY needs it',
  ])
  expect(faultsOf({ ...servers, SOLAPI_FROM: '02-123' })).toEqual([
    'SOLAPI_API_KEY is not set, as SOLAPI_FROM needs it',
    'SOLAPI_API_SECRET is not set, as SOLAPI_FROM needs it',
  ])
  expect(faultsOf({ ...servers, KAKAO_PF_ID: 'PF' })).toHaveLength(4)
  expect(faultsOf({ ...servers, KAKAO_TEMPLATES: 'reserved=ID' })).toEqual([
    'KAKAO_PF_ID is not set, as KAKAO_TEMPLATES needs it',
  ])
})

test('lists of settings are read by name, and what is wrong in them is named', () => {
  const env = { ...servers, CHANNEL_RATES: 'slack=0.5, email=50', WEBHOOK_SECRETS: secret, ...kakao }
  expect(toConfig('notifier', env)).toMatchObject({
    channelRates: { slack: 0.5, email: 50 },
    webhookSecrets: [secret],
    kakao: { templates: { reserved: 'A', 'reserved.en': 'B' }, smsFallback: true },
    solapi: { url: 'https://api.solapi.com', from: '02-123' },
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
  ['DATABASE_URL', 'postgres://u:SEC#RET@h/d'],
  ['DATABASE_URL', 'postgres://u:SECRET@h/d?schema=public'],
  ['REDIS_URL', 'redis://:SEC#RET@h'],
  ['REDIS_URL', 'redis+cluster://:SEC/RET@h'],
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
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://host:port/SECRET'],
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
  expect(toConfig('notifier', { ...servers, ...good })).toMatchObject({
    smtpUrl: good.SMTP_URL,
    slackWebhookUrl: good.SLACK_WEBHOOK_URL,
    chatWebhookUrl: good.CHAT_WEBHOOK_URL,
    unsubscribeUrl: good.UNSUBSCRIBE_URL,
  })
})

test('blanks and line breaks around a setting are none of it, and such within are refused by its name', () => {
  const token = '0123456789abcdef0123'
  const env = { ...servers, ALERT_TOKEN: `${token}\n`, SOLAPI_API_SECRET: '\r\n ', PARTITIONS: ' 8\t' }
  expect(readEnv(env)).toEqual({ ...servers, ALERT_TOKEN: token, PARTITIONS: '8' })
  const within = ['ALERT_TOKEN', 'MAIL_FROM', 'KAKAO_PF_ID', 'OTEL_EXPORTER_OTLP_HEADERS', 'DATABASE_URL']
  for (const name of within)
    for (const unseen of ['\n', '\u200b', '\u202e', '\ufeff', '\xad'])
      expect(faultsOf({ ...servers, [name]: `${token}${unseen}${token}` })).toContain(
        `${name} must not contain line breaks, other control characters or invisible characters`,
      )
  expect(
    toConfig('stock', { ...servers, WEBHOOK_SECRETS: `${secret}\n${secret}` }).webhookSecrets,
  ).toHaveLength(2)
})

test('quotes that a file of settings has left around a value are refused by its name', () => {
  for (const quote of ['"', "'"])
    for (const [name, value] of Object.entries({ ...servers, ALERT_TOKEN: secret, OPERATOR_EMAIL: 'a@b.kr' }))
      expect(faultsOf({ ...servers, [name]: quote + value + quote })).toContain(
        `${name} is in quotes, which would become part of the value: remove them`,
      )
  const env = { ...servers, MAIL_FROM: '"Library, Seoul" <a@b.kr>' }
  expect(toConfig('stock', env).mailFrom).toBe('"Library, Seoul" <a@b.kr>')
})

test('a token that no header can carry, a host that none listens on, and headers that are none are refused', () => {
  for (const ALERT_TOKEN of ['가'.repeat(16), 'x'.repeat(5_000), 'short'])
    expect(faultsOf({ ...servers, ALERT_TOKEN })).toEqual([
      'ALERT_TOKEN must be 16 to 4000 printable ASCII characters',
    ])
  for (const HOST of ['*', 'http://localhost', '127.0.0.1:8081', 'a b'])
    expect(faultsOf({ ...servers, HOST })).toEqual([
      'HOST must be an address or a name of this machine, as in 127.0.0.1',
    ])
  for (const HOST of ['0.0.0.0', '::', '[::1]', 'fe80::1%eth0', 'localhost', 'my_host', 'books.example'])
    expect(toConfig('stock', { ...servers, HOST }).host).toBe(HOST.replace(/[[\]]/g, ''))
  for (const OTEL_EXPORTER_OTLP_HEADERS of ['a', '=b', 'a=', 'a: b', 'a=가', 'a=%', 'a b=c', 'a=b,,c=d'])
    expect(faultsOf({ ...servers, OTEL_EXPORTER_OTLP_HEADERS })).toEqual([
      'OTEL_EXPORTER_OTLP_HEADERS must be like name=value,name=value, in ASCII; in a value write %2C for a comma',
    ])
  for (const OTEL_EXPORTER_OTLP_HEADERS of ['api-key=x', 'a=b=, c = d e', 'Authorization=Basic%20eA=='])
    expect(toConfig('stock', { ...servers, OTEL_EXPORTER_OTLP_HEADERS }).otlpHeaders).toBeDefined()
})

test('passwords of the services are told for all three, and long enough, or not at all', () => {
  const secret = 'x'.repeat(16)
  expect(faultsOf({ ...servers, STOCK_REDIS_PASSWORD: secret })).toEqual([
    'RESERVATION_REDIS_PASSWORD is not set, but STOCK_REDIS_PASSWORD is: set all three or none',
    'NOTIFIER_REDIS_PASSWORD is not set, but STOCK_REDIS_PASSWORD is: set all three or none',
  ])
  const all = { RESERVATION_DATABASE_PASSWORD: secret, NOTIFIER_DATABASE_PASSWORD: secret }
  expect(faultsOf({ ...servers, ...all, STOCK_DATABASE_PASSWORD: 'short' })).toEqual([
    'STOCK_DATABASE_PASSWORD must be 16 to 256 printable ASCII characters without spaces',
  ])
  expect(toConfig('stock', { ...servers, ...all, STOCK_DATABASE_PASSWORD: secret })).toMatchObject({
    databasePasswords: { reservation: secret, stock: secret, notifier: secret },
    redisPasswords: undefined,
  })
})

test('the README documents every setting and no other', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const table = readme.slice(readme.indexOf('## Settings'), readme.indexOf('## The map'))
  const documented = [...table.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([A-Z_]+)`/g)].map((it) => it[1]!),
  )
  const every = Object.fromEntries(documented.map((name) => [name, 'x']))
  expect(Object.keys(readEnv(every)).sort()).toEqual(documented.sort())
  const source = await readFile(new URL('./config.ts', import.meta.url), 'utf8')
  const known = [...source.matchAll(/^ {2}([A-Z_]+): /gm)].map((it) => it[1]!)
  expect(documented.sort()).toEqual(known.sort())
})

function faultsOf(env: Record<string, string>): string[] {
  try {
    toConfig('stock', env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  throw new Error('No fault was found')
}
