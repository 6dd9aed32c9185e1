import { readFile } from 'node:fs/promises'
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

test('servers are all that has to be set', () => {
  expect(toConfig('stock', servers)).toMatchObject({ service: 'stock', port: 8082, partitions: 8 })
})

test('an empty setting counts as not set', () => {
  expect(readEnv({ ...servers, PARTITIONS: '', UNKNOWN: 'x' })).toEqual(servers)
})

test('a secret is not repeated in a fault', () => {
  expect(faultsOf({ ...servers, SMTP_URL: 'ftp://user:secret@host' }).join()).not.toContain('secret')
})

test('passwords of the services are told for all three, and long enough, or not at all', () => {
  const secret = 'x'.repeat(16)
  expect(faultsOf({ ...servers, STOCK_REDIS_PASSWORD: secret })).toEqual([
    'RESERVATION_REDIS_PASSWORD is not set, and STOCK_REDIS_PASSWORD is: name all three or none',
    'NOTIFIER_REDIS_PASSWORD is not set, and STOCK_REDIS_PASSWORD is: name all three or none',
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
