import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ConfigError } from '../../platform/config.ts'
import { toPagesConfig } from '../config.ts'

const key = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))
const valid = {
  IDENTITY: 'on',
  PRODUCTION: 'true',
  PUBLIC_URL: 'https://books.example',
  DATABASE_URL: 'postgres://web:a-password@db/books',
  OIDC_ISSUER: 'https://login.example/realms/library',
  OIDC_CLIENT_ID: 'books',
  OIDC_CLIENT_SECRET: 'a-secret-of-the-client',
  OIDC_ROLES: 'librarians=stock-manager, the buyers=purchaser',
  TOKEN_KEY: key,
  SESSION_KEY: `${'new-secret-'.repeat(4)}\n${'old-secret-'.repeat(4)}`,
}

function faultsOf(env: Record<string, string | undefined>): string[] {
  try {
    toPagesConfig(env)
    return []
  } catch (error) {
    return (error as ConfigError).faults
  }
}

test('with valid settings people log in, and the issuer of tokens is the URL of the pages unless it is named', () => {
  const { login } = toPagesConfig(valid)
  expect(login).toMatchObject({
    issuer: 'https://login.example/realms/library',
    roles: { librarians: 'stock-manager', 'the buyers': 'purchaser' },
    scope: 'openid',
    useridClaim: 'sub',
    tokenIssuer: 'https://books.example',
  })
  expect(login!.sessionKeys.map((it) => it.length)).toEqual([32, 32])
  const issuer = 'https://login.example/application/o/books/'
  expect(toPagesConfig({ ...valid, OIDC_ISSUER: issuer }).login!.issuer).toBe(issuer)
  const named = toPagesConfig({ ...valid, TOKEN_ISSUER: 'books,another' })
  expect(named.login!.tokenIssuer).toBe('books')
})

test('without identity nothing of it is needed, except that production needs identity', () => {
  expect(toPagesConfig({}).login).toBeUndefined()
  expect(faultsOf({ PRODUCTION: 'true' })).toEqual([expect.stringContaining('IDENTITY must be on')])
})

test('every setting that is missing or wrong is listed at once, without a value', () => {
  const missing = faultsOf({ IDENTITY: 'on' })
  const names = [
    'OIDC_ISSUER',
    'OIDC_CLIENT_ID',
    'OIDC_CLIENT_SECRET',
    'PUBLIC_URL',
    'TOKEN_KEY',
    'SESSION_KEY',
  ]
  expect(missing).toEqual(
    [...names, 'DATABASE_URL'].map((it) => `${it} is not set, but IDENTITY=on needs it`),
  )
  const wrong = {
    ...valid,
    PUBLIC_URL: 'http://books.example',
    OIDC_ISSUER: 'ftp://login.example?secret-1',
    OIDC_SCOPE: 'secret-2',
    OIDC_ROLES: 'librarians=secret-3',
    OIDC_ROLES_CLAIM: 'secret-4..x',
    TOKEN_KEY: '{"d":"secret-5"}',
    SESSION_KEY: 'secret-6',
    DATABASE_URL: 'secret-7',
  }
  const faults = faultsOf(wrong)
  for (const name of Object.keys(wrong).filter((it) => wrong[it as 'TOKEN_KEY'] !== valid[it as 'TOKEN_KEY']))
    expect(faults.join('\n')).toContain(name)
  expect(faults.join('\n')).not.toMatch(/secret-\d/)
})

test('secrets are read from files, and a file that cannot be read is a fault', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-login-'))
  try {
    const file = join(dir, 'key.json')
    await writeFile(file, `${JSON.stringify(JSON.parse(key), null, 2)}\n`)
    const { TOKEN_KEY: _, ...others } = valid
    const { login } = toPagesConfig({ ...others, TOKEN_KEY_FILE: file })
    expect(login!.tokenKeys).toHaveLength(1)
    expect(faultsOf({ ...others, TOKEN_KEY_FILE: join(dir, 'absent') })).toEqual(
      expect.arrayContaining(['TOKEN_KEY_FILE must be the path of a file that can be read']),
    )
  } finally {
    await rm(dir, { recursive: true })
  }
})
