import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { z } from '@hono/zod-openapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../http/app.ts'
import { reply } from '../http/reply.ts'
import { routesOf } from '../http/route.ts'
import { type Bench, type ProblemBody, serveBench } from '../http/testing/bench.ts'
import { ownOf } from './caller.ts'
import { Guard, suspectsPerSecond } from './guard.ts'
import { keysAt } from './keys.ts'
import { readsPerMinute, writesPerMinute } from './person-limits.ts'
import { audience, type Claims, issuerName, TestIssuer } from './testing.ts'
import { Tokens } from './tokens.ts'

const seen = z.object({ own: z.string().optional() })
const answer = { 200: { description: 'the caller', content: { 'application/json': { schema: seen } } } }
const routeFor = (
  method: 'get' | 'post',
  path: string,
  access: 'anyone' | readonly ['customer', 'stock-manager'] | readonly ['operator'],
) =>
  routesOf('test')[method](path, {
    access,
    request: { query: z.object({ n: z.string().regex(/^\d+$/).optional() }) },
    responses: answer,
  })

function mount(app: App): void {
  for (const route of [
    routeFor('get', '/open', 'anyone'),
    routeFor('get', '/mine', ['customer', 'stock-manager']),
    routeFor('post', '/mine', ['customer', 'stock-manager']),
    routeFor('get', '/operators', ['operator']),
  ])
    app.addRoute(route, (c) => reply(200, { own: ownOf(c) }))
}

let issuer: TestIssuer
let bench: Bench
beforeAll(async () => {
  issuer = await TestIssuer.start()
  const tokens = new Tokens({ issuers: [{ name: issuerName, keysUrl: issuer.url }], audience, apiTokens: [] })
  bench = await serveBench({ guard: new Guard({ tokens, forwardedHops: 1 }), mount })
})
afterAll(async () => {
  await bench[Symbol.asyncDispose]()
  await issuer[Symbol.asyncDispose]()
})

async function call(path: string, claims?: Claims | string, { method = 'GET', headers = {} } = {}) {
  const token = typeof claims === 'object' ? await issuer.token(claims) : claims
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(bench.url + path, { method, headers: { ...authorization, ...headers } })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as ProblemBody & { own?: string },
  }
}

test('GU1: a caller without a token is refused with 401, before their input is looked at', async () => {
  const { status, headers, body } = await call('/mine?n=x')
  expect([status, body.type, headers.get('www-authenticate')]).toEqual([
    401,
    '/problems/unauthorized',
    'Bearer',
  ])
  const invalid = await call('/mine?n=x', 'nonsense')
  expect(invalid.status).toBe(401)
  expect(invalid.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
})

test('a caller without a fitting role is refused with 403, and one with it is not', async () => {
  const customer = await call('/operators?n=x', { userid: 'mina' })
  expect([customer.status, customer.body.type]).toEqual([403, '/problems/forbidden'])
  expect((await call('/operators?n=x', { userid: 'ops', roles: ['operator'] })).status).toBe(400)
  expect((await call('/operators', { userid: 'ops', roles: ['operator'] })).status).toBe(200)
})

test('GU2: a caller who is only a customer is limited to their own data, and staff are not', async () => {
  expect((await call('/mine', { userid: 'mina' })).body.own).toBe('mina')
  expect((await call('/mine', { userid: 'jun', roles: ['stock-manager'] })).body.own).toBeUndefined()
  // Another role that the route does not know gives nothing.
  expect((await call('/mine', { userid: 'hana', roles: ['customer', 'purchaser'] })).body.own).toBe('hana')
})

test('what is open to anyone answers without a token, and with one that is not valid', async () => {
  for (const token of [undefined, 'nonsense', await issuer.token({ userid: 'mina' }, { expiresIn: -60 })])
    expect((await call('/open', token, { headers: { 'x-forwarded-for': '10.0.0.1' } })).status).toBe(200)
})

test.each([
  ['Basic bWluYTpzZWNyZXQ='],
  ['Bearer'],
  ['Bearer '],
  ['Bearer a b'],
  ['Bearer a,b'],
  [`Bearer ${'x'.repeat(5_000)}`],
  [`Bearer ${'x.'.repeat(2_000)}=`],
])('the header "%.20s" is refused', async (authorization) => {
  expect((await call('/mine', undefined, { headers: { authorization } })).status).toBe(401)
})

test('several Authorization headers are refused, in whatever order', async () => {
  const good = `Authorization: Bearer ${await issuer.token({ userid: 'mina' })}`
  const bad = 'authorization: Bearer nonsense'
  for (const headers of [
    [good, bad],
    [bad, good],
    [good, good],
  ]) {
    const socket = connect(bench.listener.port, '127.0.0.1')
    socket.write(`GET /mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.join('\r\n')}\r\n\r\n`)
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 401 /)
  }
})

test('a flood of one customer is answered with 429 and Retry-After, and others are served', async () => {
  const statuses = await Promise.all(
    Array.from(
      { length: 100 },
      async () => (await call('/mine', { userid: 'flood' }, { method: 'POST' })).status,
    ),
  )
  const served = statuses.filter((it) => it === 200).length
  expect(served).toBeGreaterThanOrEqual(writesPerMinute)
  // One more every two seconds.
  expect(served).toBeLessThan(writesPerMinute + 20)
  expect(statuses.filter((it) => it === 429)).toHaveLength(100 - served)
  const { headers } = await call('/mine', { userid: 'flood' }, { method: 'POST' })
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await call('/mine', { userid: 'flood' })).status).toBe(200)
  expect((await call('/mine', { userid: 'other' }, { method: 'POST' })).status).toBe(200)
  for (let i = 0; i < 2 * writesPerMinute; i++)
    expect(
      (await call('/mine', { userid: 'flood', roles: ['stock-manager'] }, { method: 'POST' })).status,
    ).toBe(200)
})

test('a flood without a token is answered with 429, by the address that the proxy saw', async () => {
  const from = (address: string) =>
    call('/open', undefined, { headers: { 'x-forwarded-for': `1.1.1.1, ${address}` } })
  const statuses = await Promise.all(Array.from({ length: 400 }, async () => (await from('10.0.0.2')).status))
  expect(statuses.filter((it) => it === 429).length).toBeGreaterThan(20)
  expect((await from('10.0.0.3')).status).toBe(200)
})

describe('a flood of forged tokens of one address', () => {
  /** Signed with another key, in the name of one that is known. */
  async function forger() {
    const thief = await TestIssuer.start()
    thief.keys[0]!.kid = issuer.keys[0]!.kid
    return thief
  }
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

  test('GU4: is answered with 429 and Retry-After, and keeps away neither its valid tokens nor other addresses', async () => {
    await using thief = await forger()
    const address = from('10.1.0.1')
    const remembered = await issuer.token({ userid: 'mina' })
    await call('/mine', remembered, address)
    const flood = async (path: string, times: number, method = 'GET') => {
      const answers = await Promise.all(
        Array.from({ length: times }, async (_, i) =>
          call(path, await thief.token({ userid: `u${i}` }), { ...address, method }),
        ),
      )
      for (const it of answers.filter(({ status }) => status === 429))
        expect(Number(it.headers.get('retry-after'))).toBeGreaterThan(0)
      return answers.filter(({ status }) => status === 401).length
    }
    const refused = await flood('/mine', readsPerMinute + 90)
    expect(refused).toBeGreaterThanOrEqual(readsPerMinute)
    expect(refused).toBeLessThan(readsPerMinute + 90)
    expect(await flood('/mine', writesPerMinute + 20, 'POST')).toBeLessThan(writesPerMinute + 20)
    expect((await call('/mine', remembered, address)).status).toBe(200)
    expect((await call('/mine', { userid: 'new' }, address)).status).toBe(200)
    expect((await call('/mine', await thief.token({ userid: 'x' }), from('10.1.0.2'))).status).toBe(401)
  })

  test('GU4: costs a limited number of verifications, and none of a remembered token', async () => {
    await using thief = await forger()
    let verified = 0
    const keys = keysAt(issuer.url)
    const tokens = new Tokens({
      issuers: [{ name: issuerName, keysUrl: issuer.url }],
      audience,
      apiTokens: [],
      keysOf: () => (header, token) => {
        verified += 1
        return keys(header, token)
      },
    })
    await using own = await serveBench({ guard: new Guard({ tokens, forwardedHops: 1 }), mount })
    const send = async (token: string) =>
      (
        await fetch(`${own.url}/mine`, {
          headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '10.1.0.3' },
        })
      ).status
    const remembered = await issuer.token({ userid: 'mina' })
    expect(await send(remembered)).toBe(200)
    const forged = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => thief.token({ userid: `u${i}` })),
    )
    const began = performance.now()
    const statuses = await Promise.all(forged.map(send))
    const seconds = (performance.now() - began) / 1_000
    expect(statuses.filter((it) => it !== 401 && it !== 429)).toEqual([])
    // Each second more are allowed.
    expect(verified).toBeLessThan(
      readsPerMinute * (1 + seconds / 60) + suspectsPerSecond * (1 + seconds) + 20,
    )
    expect(await send(remembered)).toBe(200)
    // A valid one that is new has to come again at most, a moment later.
    const fresh = await issuer.token({ userid: 'jun' })
    await expect.poll(() => send(fresh)).toBe(200)
  })
})

test('refusals are counted by their reason', async () => {
  const metrics = await bench.metrics.registry.metrics()
  for (const reason of ['unauthorized', 'forbidden', 'too-many-requests'])
    expect(metrics).toMatch(new RegExp(`bookreservation_http_refusals_total{.*reason="${reason}".*} [1-9]`))
})

test('GU3: while identity is off, a caller is neither asked who they are nor limited', async () => {
  await using off = await serveBench({ mount })
  const answers = await Promise.all(
    Array.from({ length: 2 * writesPerMinute }, () =>
      fetch(`${off.url}/mine`, { method: 'POST', headers: { authorization: 'Bearer nonsense' } }),
    ),
  )
  expect(new Set(answers.map((it) => it.status))).toEqual(new Set([200]))
  expect(await answers[0]!.json()).toEqual({})
})
