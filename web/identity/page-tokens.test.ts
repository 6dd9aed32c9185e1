/** The services accept the tokens of the pages, for five minutes, and no forgery of them. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { createLocalJWKSet, decodeJwt, exportSPKI, importJWK, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { Tokens } from '../../platform/identity/tokens.ts'
import { PageTokens } from './page-tokens.ts'
import type { Session } from './session.ts'
import { type SigningKey, signingKeys } from './signing-keys.ts'

const freshJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
const keysOf = (text: string): SigningKey[] => signingKeys().parse(text)
const [tokenIssuer, tokenAudience] = ['https://books.example', 'bookreservation']
const session: Session = {
  sid: 'a'.repeat(43),
  sub: 'sub-jun',
  userid: 'jun',
  roles: ['customer', 'stock-manager'],
  begun: 0,
  seen: 0,
}

function pages(keys: SigningKey[]) {
  let nowMs = 1_800_000_000_000
  const tokens = new PageTokens({ tokenIssuer, tokenAudience, tokenKeys: keys }, () => nowMs)
  const service = new Tokens({
    issuers: [{ name: tokenIssuer, keysUrl: '' }],
    audience: tokenAudience,
    apiTokens: [],
    now: () => nowMs,
    keysOf: () => createLocalJWKSet(tokens.jwks as Parameters<typeof createLocalJWKSet>[0]),
  })
  return {
    tokens,
    verify: async (it: string) => await service.verify(it),
    wait: (s: number) => (nowMs += s * 1_000),
  }
}

test('a token names the person and their roles, and is renewed before it expires', async () => {
  const { tokens, verify, wait } = pages(keysOf(JSON.stringify(freshJwk())))
  const first = await tokens.of(session)
  expect(await verify(first)).toMatchObject({
    authtype: 'app_user',
    authid: 'sub-jun',
    userid: 'jun',
    roles: ['customer', 'stock-manager'],
  })
  wait(239)
  expect(await tokens.of(session)).toBe(first)
  wait(2)
  const second = await tokens.of(session)
  expect(second).not.toBe(first)
  wait(70)
  await expect(verify(first)).rejects.toThrow('expired')
  expect((await verify(second)).userid).toBe('jun')
  expect(decodeJwt(second)).toMatchObject({ iss: tokenIssuer, aud: tokenAudience })
})

test('two people never share a token, and the pages themselves are a program without a customer', async () => {
  const { tokens, verify } = pages(keysOf(JSON.stringify(freshJwk())))
  const other = { ...session, sid: 'b'.repeat(43), sub: 'mina', userid: 'mina', roles: ['customer'] as const }
  await tokens.of(session)
  expect((await verify(await tokens.of({ ...other, roles: ['customer'] }))).userid).toBe('mina')
  expect(await verify(await tokens.own())).toMatchObject({ authtype: 'service_account', roles: ['service'] })
})

test('a key is replaced without a break: services know the next one before it signs, and the last one after', async () => {
  const [old, next] = [freshJwk(), freshJwk()]
  const before = pages(keysOf(JSON.stringify([old, next])))
  const after = pages(keysOf(JSON.stringify({ keys: [next, old] })))
  const [signedBefore, signedAfter] = [await before.tokens.of(session), await after.tokens.of(session)]
  for (const { verify } of [before, after])
    for (const token of [signedBefore, signedAfter]) expect((await verify(token)).userid).toBe('jun')
  const removed = pages(keysOf(JSON.stringify(next)))
  await expect(removed.verify(signedBefore)).rejects.toThrow('key is not known')
})

test('forged tokens are refused: another key or audience, and the public key as a shared secret', async () => {
  const keys = keysOf(JSON.stringify(freshJwk()))
  const { verify } = pages(keys)
  const [{ kid, publicJwk }] = keys as [SigningKey]
  const claims = { userid: 'jun', roles: ['operator'] }
  const sign = (alg: string, key: Parameters<SignJWT['sign']>[0], aud = tokenAudience) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg, kid })
      .setIssuer(tokenIssuer)
      .setAudience(aud)
      .setSubject('jun')
      .setExpirationTime(1_800_000_300)
      .sign(key)
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' })
  const pem = await exportSPKI((await importJWK(publicJwk, 'EdDSA')) as CryptoKey)
  const stranger = generateKeyPairSync('ed25519').privateKey
  const forgeries = [
    await sign('EdDSA', stranger),
    await sign('EdDSA', keys[0]!.privateKey, 'another'),
    await sign('HS256', new TextEncoder().encode(pem)),
    await sign('HS256', new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))),
    await sign('HS256', Buffer.from(publicJwk.x, 'base64url')),
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`,
  ]
  for (const forgery of forgeries) await expect(verify(forgery), forgery).rejects.toThrow('not valid')
})

test('no change of a token is accepted, and no text breaks the reader', async () => {
  const { tokens, verify } = pages(keysOf(JSON.stringify(freshJwk())))
  const token = await tokens.of(session)
  const changed = fc
    .record({ at: fc.nat(token.length - 2), by: fc.constantFrom('A', 'z', '.', '-', '=', '') })
    .map(({ at, by }) => token.slice(0, at) + by + token.slice(at + 1))
  const texts = fc.array(fc.base64String(), { maxLength: 4 }).map((it) => it.join('.'))
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed, texts, fc.string()), async (text) => {
      if (text !== token) await expect(verify(text), text).rejects.toThrow('not valid')
    }),
    { numRuns: 200 },
  )
})

test('a key must be a private Ed25519 key, whose parts belong together; no message repeats it', () => {
  const [one, other] = [freshJwk(), freshJwk()]
  const { d: _, ...publicPart } = one
  const wrong: unknown[] = [
    'x',
    publicPart,
    { ...one, x: other.x },
    { ...one, d: 'short' },
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    [],
    { keys: [] },
    [
      { ...one, kid: 'same' },
      { ...other, kid: 'same' },
    ],
  ]
  for (const it of wrong) {
    const { error } = signingKeys().safeParse(JSON.stringify(it))
    expect(error?.issues[0]?.message, JSON.stringify(it)).toContain('must be Ed25519 keys')
    expect(error?.message).not.toContain(one.d)
  }
  expect(keysOf(JSON.stringify(one))[0]!.publicJwk).not.toHaveProperty('d')
})
