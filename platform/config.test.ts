import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, readEnv, toConfig } from './config.ts'

const servers = { DATABASE_URL: 'postgres://localhost/books', REDIS_URL: 'redis://localhost' }

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

test('only the servers must be set', () => {
  expect(toConfig('stock', servers)).toMatchObject({ service: 'stock', port: 8082, partitions: 4 })
})

test('a public URL loses the slash at its end, and origins are a list', () => {
  const own = {
    PUBLIC_URL: 'https://books.example/api/',
    CORS_ORIGINS: 'https://app.example, http://localhost:5173',
  }
  expect(toConfig('stock', { ...servers, ...own })).toMatchObject({
    publicUrl: 'https://books.example/api',
    corsOrigins: ['https://app.example', 'http://localhost:5173'],
  })
})

test('an empty setting counts as not set', () => {
  expect(readEnv({ ...servers, PARTITIONS: '', UNKNOWN: 'x' })).toEqual(servers)
})

test.each([
  ['DATABASE_URL', 'postgres://u:SEC#RET@h/d'],
  ['DATABASE_URL', 'postgres://u:SECRET@h/d?schema=public'],
  ['REDIS_URL', 'redis://:SEC#RET@h'],
  ['REDIS_URL', 'redis+cluster://:SEC/RET@h'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://host:port/SECRET'],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'http://host:port/SECRET'],
  ['PUBLIC_URL', 'books.example/SECRET'],
  ['PUBLIC_URL', 'ftp://books.example/SECRET'],
  ['PUBLIC_URL', 'https://books.example/?SECRET'],
  ['PUBLIC_URL', 'https://user:SECRET@books.example'],
  ['CORS_ORIGINS', '*'],
  ['CORS_ORIGINS', 'https://app.example/SECRET'],
  ['CORS_ORIGINS', 'https://app.example,app.SECRET'],
  ['CORS_ORIGINS', 'https://APP.SECRET'],
  ['CORS_ORIGINS', 'https://app.example,'],
])('an invalid URL is reported by the name of its setting, without its value: %s=%s', (name, value) => {
  const faults = faultsOf({ ...servers, [name]: value })
  expect(faults).toHaveLength(1)
  expect(faults[0]).toMatch(new RegExp(`^${name} (must|has) `))
  expect(faults[0]).not.toMatch(/SEC|RET/)
})

test('blanks and line breaks around a setting are trimmed, and line breaks within are reported by its name', () => {
  const token = '0123456789abcdef0123'
  const env = { ...servers, REDIS_PREFIX: `${token}\n`, LOG_LEVEL: '\r\n ', PARTITIONS: ' 8\t' }
  expect(readEnv(env)).toEqual({ ...servers, REDIS_PREFIX: token, PARTITIONS: '8' })
  const within = ['REDIS_PREFIX', 'STOCK_REDIS_PASSWORD', 'OTEL_EXPORTER_OTLP_HEADERS', 'DATABASE_URL']
  for (const name of within)
    for (const unseen of ['\n', '\u200b', '\u202e', '\ufeff', '\xad'])
      expect(faultsOf({ ...servers, [name]: `${token}${unseen}${token}` })).toContain(
        `${name} must not contain line breaks, other control characters or invisible characters`,
      )
})

test('quotes around a value are reported by its name', () => {
  for (const quote of ['"', "'"])
    for (const [name, value] of Object.entries({ ...servers, STOCK_REDIS_PASSWORD: 'x'.repeat(16) }))
      expect(faultsOf({ ...servers, [name]: quote + value + quote })).toContain(
        `${name} is in quotes, which would become part of the value: remove them`,
      )
})

test('invalid hosts and headers are refused', () => {
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

test('the settings of OpenTelemetry name the URL of traces, or turn tracing off', () => {
  const urlOf = (env: Record<string, string>) => toConfig('stock', { ...servers, ...env }).tracesUrl
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in?tenant=a' }
  expect(urlOf({})).toBeUndefined()
  expect(urlOf(base)).toBe('http://collector:4318/v1/traces')
  expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/tenant//' })).toBe(
    'http://collector:4318/tenant/v1/traces',
  )
  expect(urlOf(own)).toBe('https://traces.example/in?tenant=a')
  expect(urlOf({ ...base, ...own })).toBe('https://traces.example/in?tenant=a')
  for (const OTEL_SDK_DISABLED of ['true', 'TRUE', 'True'])
    expect(urlOf({ ...base, ...own, OTEL_SDK_DISABLED })).toBeUndefined()
  expect(urlOf({ ...base, OTEL_SDK_DISABLED: 'False' })).toBe('http://collector:4318/v1/traces')
  expect(faultsOf({ ...servers, OTEL_SDK_DISABLED: '1' })).toEqual([
    'OTEL_SDK_DISABLED must be one of true, false',
  ])
})

test('passwords of the services are set for all three, and long enough, or not at all', () => {
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

function faultsOf(env: Record<string, string>): string[] {
  try {
    toConfig('stock', env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  throw new Error('No fault was found')
}

test('production does not start with identity off, and identity needs tokens that are trusted', () => {
  expect(faultsOf({ ...servers, PRODUCTION: 'true', PARTITIONS: 'many' })).toEqual([
    'PARTITIONS must be a whole number from 1 to 1024',
    'IDENTITY must be on with PRODUCTION=true: otherwise everyone may do everything',
  ])
  const on = { ...servers, PRODUCTION: 'true', IDENTITY: 'on' }
  expect(faultsOf(on)).toEqual([
    'IDENTITY is on, but no token is trusted: set TOKEN_ISSUER and TOKEN_JWKS_URL, or API_TOKENS',
  ])
  const issuer = { ...on, TOKEN_ISSUER: 'https://a.example,https://b.example' }
  expect(faultsOf(issuer)).toEqual(['TOKEN_JWKS_URL is not set, but TOKEN_ISSUER needs it'])
  expect(faultsOf({ ...issuer, TOKEN_JWKS_URL: 'https://a.example/jwks.json' })).toEqual([
    'TOKEN_JWKS_URL must have as many URLs as TOKEN_ISSUER has names',
  ])
  const both = { ...issuer, TOKEN_JWKS_URL: 'https://a.example/jwks.json, file:///etc/tokens/jwks.json' }
  expect(toConfig('stock', both).identity?.issuers).toEqual([
    { name: 'https://a.example', keysUrl: 'https://a.example/jwks.json' },
    { name: 'https://b.example', keysUrl: 'file:///etc/tokens/jwks.json' },
  ])
  expect(toConfig('stock', servers).identity).toBeUndefined()
})

test.each([
  ['TOKEN_JWKS_URL', 'ftp://SECRET'],
  ['TOKEN_JWKS_URL', 'https://user:SECRET@a.example'],
  ['API_TOKENS', 'kiosk:service:SECRET'],
  ['API_TOKENS', `kiosk:king:${'0'.repeat(64)}`],
  ['API_TOKENS', `kiosk:customer:${'0'.repeat(64)}`],
  ['API_TOKENS', `kiosk:service:${'0'.repeat(64)} kiosk:service:${'1'.repeat(64)}`],
])('an invalid %s is reported without its value: %s', (name, value) => {
  const faults = faultsOf({
    ...servers,
    IDENTITY: 'on',
    TOKEN_ISSUER: 'https://a.example',
    TOKEN_JWKS_URL: 'https://a.example',
    [name]: value,
  })
  expect(faults).toHaveLength(1)
  expect(faults[0]).toMatch(new RegExp(`^${name}[ .]`))
  expect(faults[0]).not.toContain('SECRET')
})

test('a setting may be in a file, which a variable of its own name overrides', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'settings-'))
  const file = join(folder, 'url')
  await writeFile(file, 'postgres://from-a-file/books\n')
  const { DATABASE_URL: _, ...others } = servers
  expect(readEnv({ ...others, DATABASE_URL_FILE: file }).DATABASE_URL).toBe('postgres://from-a-file/books')
  expect(readEnv({ ...servers, DATABASE_URL_FILE: file })).toEqual(servers)
  await rm(folder, { recursive: true })
  const unread = readEnv({ ...servers, API_TOKENS_FILE: `${file}-SECRET` })
  expect(faultsOf(unread)).toEqual(['API_TOKENS_FILE must be the path of a file that can be read'])
})
