import { generateKeyPairSync, hash, randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../platform/http/app.ts'
import { heldPerPersonMax } from '../platform/http/held.ts'
import { readsPerMinute } from '../platform/identity/person-limits.ts'
import { createMetrics } from '../platform/metrics.ts'
import { createPages } from './app.ts'
import { toPagesConfig } from './config.ts'
import { Login } from './identity/login.ts'
import { Seal } from './identity/seal.ts'

const secret = 'a-secret-of-sessions-that-is-long-enough'
const nowhere = 'http://127.0.0.1:9'
const config = toPagesConfig({
  IDENTITY: 'on',
  FORWARDED_HOPS: '1',
  PUBLIC_URL: 'http://localhost:8080',
  DATABASE_URL: 'postgres://web:a-password@127.0.0.1:9/books',
  RESERVATION_URL: nowhere,
  STOCK_URL: nowhere,
  NOTIFIER_URL: nowhere,
  OIDC_ISSUER: nowhere,
  OIDC_CLIENT_ID: 'web',
  OIDC_CLIENT_SECRET: 'a-secret-of-the-client',
  TOKEN_KEY: JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })),
  SESSION_KEY: secret,
})
const stopping = new AbortController()
const log = pino({ level: 'silent' })
let app: App
let login: Login
beforeAll(async () => {
  login = new Login(config.login!, log)
  const { signal } = stopping
  app = await createPages({ config, log, metrics: createMetrics('web'), stopping: signal, signal }, login)
})
afterAll(async () => {
  stopping.abort()
  await login.close()
})

async function cookieOf(userid: string, role = 'customer'): Promise<string> {
  const seal = new Seal([new Uint8Array(hash('sha256', secret, 'buffer'))])
  const nowS = Math.floor(Date.now() / 1_000)
  const sid = hash('sha256', randomUUID(), 'base64url')
  const session = { sid, sub: userid, userid, roles: [role], begun: nowS, seen: nowS }
  return `session=${await seal.close('session', session, nowS + 600)}`
}

const get = async (path: string, address: string, cookie = '') =>
  await app.request(path, { headers: { 'x-forwarded-for': `198.51.100.9, ${address}`, cookie } })

/** Asks until it is refused: slow requests earn some more. @returns how many were served before, and the last answer. */
async function flood(path: string, address: string, cookie: string) {
  let served = 0
  let last = await get(path, address, cookie)
  while (last.status === 200 && served < readsPerMinute * 4) {
    served++
    last = await get(path, address, cookie)
  }
  return { served, last }
}

test('a flood of an address or a customer is answered with 429 and Retry-After, and others are served', async () => {
  const [mina, hong, jun] = [
    await cookieOf('mina'),
    await cookieOf('hong'),
    await cookieOf('jun', 'operator'),
  ]
  for (const [path, address, cookie] of [
    ['/logged-out', '203.0.113.1', ''],
    ['/me/data', '203.0.113.2', mina],
  ] as const) {
    const { served, last } = await flood(path, address, cookie)
    expect(served).toBeGreaterThanOrEqual(readsPerMinute)
    expect(last.status).toBe(429)
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect((await get('/logged-out', '203.0.113.3')).status).toBe(200)
  expect((await get('/me/data', '203.0.113.2', hong)).status).toBe(200)
  for (let i = 0; i < readsPerMinute * 1.2; i++)
    expect((await get('/me/data', '203.0.113.1', jun)).status).toBe(200)
}, 60_000)

test('a person has a limited number of live pages, and a closed one makes room', async () => {
  const [rin, bora] = [await cookieOf('rin'), await cookieOf('bora')]
  const open: Response[] = []
  for (let i = 0; i < heldPerPersonMax; i++) open.push(await get('/me/stream', '203.0.113.4', rin))
  expect(new Set(open.map((it) => it.status))).toEqual(new Set([200]))
  expect((await get('/me/stream', '203.0.113.4', rin)).status).toBe(429)
  const other = await get('/me/stream', '203.0.113.4', bora)
  expect(other.status).toBe(200)
  await other.body!.cancel()
  await open.pop()!.body!.cancel()
  await expect
    .poll(async () => {
      const again = await get('/me/stream', '203.0.113.4', rin)
      await again.body?.cancel()
      return again.status
    })
    .toBe(200)
  for (const it of open) await it.body!.cancel()
})
