import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { decodeJwt, exportSPKI, importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../http/problem.ts'
import { apiTokens } from './api-tokens.ts'
import { keysAt } from './keys.ts'
import { audience, issuerName, TestIssuer } from './testing.ts'
import { Tokens, type TokensOptions } from './tokens.ts'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await TestIssuer.start('RS256', 'ES256', 'EdDSA')
})
afterAll(() => issuer[Symbol.asyncDispose]())

const tokensOf = (its: TestIssuer, options: Partial<TokensOptions> = {}) =>
  new Tokens({
    issuers: [{ name: issuerName, keysUrl: its.url }],
    audience,
    apiTokens: [],
    ...options,
  })

const refusal = async (tokens: Tokens, token: string): Promise<string> => {
  try {
    await tokens.verify(token)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return `${error.status} ${error.detail}`
  }
}

describe('a token', () => {
  test.each(['EdDSA', 'ES256', 'RS256'])(
    'that is signed with %s names its person and their roles',
    async (alg) => {
      const token = await issuer.token(
        { sub: 'u1', userid: 'mina', roles: ['purchaser', 'customer', 'king'] },
        { alg },
      )
      expect(await tokensOf(issuer).verify(token)).toEqual({
        authtype: 'app_user',
        authid: 'u1',
        userid: 'mina',
        roles: ['customer', 'purchaser'],
        expiresAt: (decodeJwt(token).exp! + 5) * 1_000,
      })
    },
  )

  test('without roles is that of a customer, whose userid is the subject if no other is given', async () => {
    const caller = await tokensOf(issuer).verify(await issuer.token({ sub: 'mina' }))
    expect(caller).toMatchObject({ authid: 'mina', userid: 'mina', roles: ['customer'] })
  })

  test('of a program has the authtype of one', async () => {
    const caller = await tokensOf(issuer).verify(await issuer.token({ sub: 'kiosk', roles: ['service'] }))
    expect(caller).toMatchObject({ authtype: 'service_account', authid: 'kiosk' })
  })

  test('of another issuer or audience, or an expired one, is refused', async () => {
    const tokens = tokensOf(issuer)
    const given = { userid: 'mina' }
    expect(await refusal(tokens, await issuer.token(given, { iss: 'https://other.test' }))).toMatch(
      /^401 .*issuer/,
    )
    expect(await refusal(tokens, await issuer.token(given, { aud: 'another' }))).toMatch(/^401 .*aud/)
    expect(await refusal(tokens, await issuer.token(given, { expiresIn: -6 }))).toMatch(/^401 .*expired/)
    // The clocks of two machines differ a little.
    expect(await refusal(tokens, await issuer.token(given, { expiresIn: -3 }))).toBe('accepted')
  })

  test('of a trusted issuer is not accepted with the name of another trusted issuer', async () => {
    await using other = await TestIssuer.start()
    const issuers = [
      { name: issuerName, keysUrl: issuer.url },
      { name: 'https://other.test', keysUrl: other.url },
    ]
    const tokens = tokensOf(issuer, { issuers })
    expect(await refusal(tokens, await other.token({ userid: 'mina' }, { iss: 'https://other.test' }))).toBe(
      'accepted',
    )
    expect(await refusal(tokens, await other.token({ userid: 'mina' }))).toMatch(/^401 .*key/)
  })

  test.each([
    { sub: '' },
    { sub: 'has spaces' },
    { sub: 'ok', userid: 'has spaces' },
    { sub: 'ok', userid: '..' },
    { sub: 'ok', userid: 'x'.repeat(129) },
    { sub: 'ok', roles: 'operator' },
    { sub: 'ok', roles: [1] },
    { sub: 'ok\u0000' },
  ])('with the claims %j is refused', async (claims) => {
    expect(await refusal(tokensOf(issuer), await issuer.token(claims as never))).toMatch(
      /^401 The token is not valid/,
    )
  })
})

const encoded = (it: object) => Buffer.from(JSON.stringify(it)).toString('base64url')
const payload = () => ({
  iss: issuerName,
  aud: audience,
  sub: 'mina',
  roles: ['operator'],
  exp: Math.floor(Date.now() / 1_000) + 300,
})

describe('a forged token is refused', () => {
  test.each(['none', 'None', 'NONE', ''])('with the algorithm "%s"', async (alg) => {
    for (const signature of ['', 'x'])
      expect(
        await refusal(tokensOf(issuer), `${encoded({ alg, typ: 'JWT' })}.${encoded(payload())}.${signature}`),
      ).toMatch(/^401/)
  })

  test('TV2: with HS256 and the public key as its secret', async () => {
    for (const { kid, jwk, alg } of issuer.keys) {
      const pem = await exportSPKI((await importJWK(jwk, alg, { extractable: true })) as CryptoKey)
      for (const secret of [
        pem,
        pem.trim(),
        JSON.stringify(jwk),
        jwk.x ?? jwk.n!,
        Buffer.from(jwk.x ?? jwk.n!, 'base64url'),
      ]) {
        const body = `${encoded({ alg: 'HS256', kid })}.${encoded(payload())}`
        const signature = createHmac('sha256', secret).update(body).digest('base64url')
        expect(await refusal(tokensOf(issuer), `${body}.${signature}`)).toMatch(/^401 .*algorithm/)
      }
    }
  })

  test('with a key that it brings itself', async () => {
    await using thief = await TestIssuer.start()
    const [mine] = thief.keys
    const { SignJWT } = await import('jose')
    for (const header of [
      { jwk: mine!.jwk },
      { jku: thief.url },
      { kid: issuer.keys[0]!.kid },
      { crit: ['exp'], exp: 1 },
    ]) {
      const signed = new SignJWT(payload()).setProtectedHeader({ alg: 'EdDSA', ...header } as never)
      const token = await signed.sign(mine!.privateKey, { crit: { exp: true } }).catch(() => undefined)
      if (token) expect(await refusal(tokensOf(issuer), token), JSON.stringify(header)).toMatch(/^401/)
    }
    expect(thief.reads).toBe(0)
  })

  test('when its payload was changed, or any one of its characters', async () => {
    const tokens = tokensOf(issuer)
    const token = await issuer.token({ userid: 'mina' })
    const [head, , signature] = token.split('.')
    expect(await refusal(tokens, `${head}.${encoded(payload())}.${signature}`)).toMatch(/^401 .*signature/)
    for (let i = 0; i < token.length; i += 7) {
      const other = token[i] === 'A' ? 'B' : 'A'
      // The last character of a part has bits that mean nothing.
      if (token[i] === '.' || token[i + 1] === '.' || i === token.length - 1) continue
      expect(await refusal(tokens, token.slice(0, i) + other + token.slice(i + 1)), String(i)).toMatch(/^401/)
    }
  })

  test.each([
    '',
    '.',
    '..',
    '...',
    'a.b.c',
    '{}.{}.{}',
    'x'.repeat(4_000),
    `${'e30'.repeat(500)}.e30.e30`,
    'é.é.é',
    'e30.e30.e30.e30.e30',
  ])('when it is %j', async (token) => {
    expect(await refusal(tokensOf(issuer), token)).toMatch(/^401/)
  })
})

describe('the keys', () => {
  test('TV1: are read once for many tokens, and a token that was verified needs none', async () => {
    await using its = await TestIssuer.start()
    const tokens = tokensOf(its)
    const [first, second] = [await its.token({ userid: 'mina' }), await its.token({ userid: 'jun' })]
    await Promise.all([tokens.verify(first), tokens.verify(second)])
    expect(its.reads).toBe(1)
    expect(tokens.verify(first)).not.toBeInstanceOf(Promise)
  })

  test('are read at the start, so that the first token is verified while their host is down', async () => {
    await using its = await TestIssuer.start()
    const tokens = tokensOf(its)
    await tokens.readKeys()
    its.answer = (response) => response.writeHead(500).end()
    expect(await tokens.verify(await its.token({ userid: 'mina' }))).toMatchObject({ userid: 'mina' })
    await tokensOf(its).readKeys()
  })

  test('may be rotated: the old one is valid while it is served, and the new one at once', async () => {
    await using its = await TestIssuer.start()
    const tokens = tokensOf(its)
    const old = await its.token({ userid: 'mina' })
    await tokens.verify(old)
    await its.addKey()
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    await tokens.verify(await its.token({ userid: 'mina' }))
    await tokens.verify(await its.token({ userid: 'jun' }))
    expect(its.reads).toBe(2)
  })

  test('KR1, KR2: that cannot be read block no remembered token, and others are answered with 503 in time', async () => {
    await using its = await TestIssuer.start()
    const known = await its.token({ userid: 'mina' })
    const tokens = tokensOf(its)
    await tokens.verify(known)
    const fresh = tokensOf(its)
    for (const answer of [() => {}, (response) => response.writeHead(500).end()] as NonNullable<
      TestIssuer['answer']
    >[]) {
      its.answer = answer
      const began = performance.now()
      expect(await refusal(fresh, await its.token({ userid: 'jun' }))).toMatch(/^503/)
      expect(await refusal(fresh, await its.token({ userid: 'jin' }))).toMatch(/^503/)
      expect(performance.now() - began).toBeLessThan(1_500)
      expect(tokens.verify(known)).not.toBeInstanceOf(Promise)
      // Known keys stay, so new tokens that they signed are valid too.
      await tokens.verify(await its.token({ userid: crypto.randomUUID() }))
      await new Promise((resolve) => setTimeout(resolve, 1_050))
    }
    its.answer = undefined
    await fresh.verify(await its.token({ userid: 'jun' }))
  })

  test('are asked for at most once a second by tokens of unknown keys', async () => {
    await using its = await TestIssuer.start()
    await using thief = await TestIssuer.start()
    const tokens = tokensOf(its)
    const began = performance.now()
    await tokens.verify(await its.token({ userid: 'mina' }))
    for (let i = 0; i < 50; i++)
      expect(await refusal(tokens, await thief.token({ userid: `u${i}` }))).toMatch(/^401/)
    expect(its.reads).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - began) / 1_000))
  })

  test('KR1, KR3: are read again after four minutes, while known ones go on', async () => {
    const clock = { now: 0 }
    let reads = 0
    const keys = keysAt(issuer.url, {
      async fetching() {
        reads += 1
        return Response.json(issuer.jwks)
      },
      now: () => clock.now,
    })
    const { kid, alg } = issuer.keys.at(-1)!
    const find = () => keys({ alg, kid }, {} as never)
    await find()
    clock.now = 239_000
    await find()
    expect(reads).toBe(1)
    clock.now = 240_000
    await find()
    expect(reads).toBe(2)
  })

  test('KR3: that were removed verify no token, however long none came', async () => {
    const clock = { now: 0 }
    await using its = await TestIssuer.start()
    const { kid, alg } = its.keys[0]!
    let away = false
    const keys = keysAt(its.url, {
      async fetching() {
        if (away) throw new TypeError('no route')
        return Response.json(its.jwks)
      },
      now: () => clock.now,
    })
    const find = () => keys({ alg, kid }, {} as never)
    await find()
    clock.now = 3_600_000
    away = true
    await find()
    clock.now = 7_200_000
    away = false
    its.keys.pop()
    await its.addKey()
    const found = await Promise.allSettled([find(), find()])
    expect(found.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test('TV1: that were removed are not trusted for long, whatever the end that a remembered token has', async () => {
    const clock = { now: Date.now() }
    await using its = await TestIssuer.start()
    const monotonic = () => clock.now
    const tokens = tokensOf(its, { now: monotonic, keysOf: (it) => keysAt(it.keysUrl, { now: monotonic }) })
    const stolen = await its.token({ userid: 'ops', roles: ['operator'] }, { expiresIn: 86_400 * 365 })
    await tokens.verify(stolen)
    its.keys.pop()
    await its.addKey()
    clock.now += 299_000
    expect(await tokens.verify(stolen)).toMatchObject({ userid: 'ops' })
    clock.now += 301_000
    expect(await refusal(tokens, stolen)).toMatch(/^401/)
  })

  test('may be in a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jwks-'))
    const file = join(folder, 'jwks.json')
    await writeFile(file, JSON.stringify(issuer.jwks))
    const tokens = tokensOf(issuer, { issuers: [{ name: issuerName, keysUrl: pathToFileURL(file).href }] })
    expect(await tokens.verify(await issuer.token({ userid: 'mina' }))).toMatchObject({ userid: 'mina' })
    await rm(folder, { recursive: true })
    const gone = tokensOf(issuer, { issuers: [{ name: issuerName, keysUrl: pathToFileURL(file).href }] })
    expect(await refusal(gone, await issuer.token({ userid: 'mina' }))).toMatch(/^503/)
  })
})

test('a remembered token is refused once it has expired, and the oldest is forgotten first', async () => {
  const clock = { now: Date.now() }
  let verified = 0
  const keys = keysAt(issuer.url)
  const tokens = tokensOf(issuer, {
    now: () => clock.now,
    keysOf: () => (header, token) => {
      verified += 1
      return keys(header, token)
    },
  })
  const token = await issuer.token({ userid: 'mina' })
  await tokens.verify(token)
  await tokens.verify(token)
  expect(verified).toBe(1)
  clock.now += 304_000
  await tokens.verify(token)
  clock.now += 2_000
  expect(await refusal(tokens, token)).toMatch(/^401 .*expired/)
  clock.now = Date.now()
  const few = tokensOf(issuer, { rememberedMax: 3 })
  const given = await Promise.all(['a', 'b', 'c', 'd'].map((userid) => issuer.token({ userid })))
  for (const it of given) await few.verify(it)
  expect(given.map((it) => few.verify(it) instanceof Promise)).toEqual([true, false, false, false])
})

test('a program is known by the SHA-256 of its token', async () => {
  const digest = createHash('sha256').update('a-secret-of-the-kiosk').digest('hex')
  const given = apiTokens().parse(`importer:stock-manager,service:${'0'.repeat(64)}\nkiosk:service:${digest}`)
  const tokens = tokensOf(issuer, { issuers: [], apiTokens: given })
  expect(await tokens.verify('a-secret-of-the-kiosk')).toEqual({
    authtype: 'service_account',
    authid: 'kiosk',
    userid: undefined,
    roles: ['service'],
  })
  for (const other of [digest, 'a-secret-of-the-kiosk2', 'kiosk', '0'.repeat(64)])
    expect(await refusal(tokens, other)).toMatch(/^401/)
})
