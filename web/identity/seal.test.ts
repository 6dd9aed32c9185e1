import { hash } from 'node:crypto'
import fc from 'fast-check'
import { EncryptJWT, SignJWT, UnsecuredJWT } from 'jose'
import { expect, test } from 'vitest'
import { Seal } from './seal.ts'

const keyOf = (text: string) => new Uint8Array(hash('sha256', text, 'buffer'))
const seal = new Seal([keyOf('new'), keyOf('old')])
const payload = { userid: 'mina' }
const now = new Date('2026-11-29T12:00:00Z')
const nowS = now.getTime() / 1_000
const open = (sealed: string, at = now) => seal.open('session', sealed, at)

test('a cookie is read with each of the keys, and the first one encrypts', async () => {
  const sealed = await seal.close('session', payload, nowS + 60)
  expect(await open(sealed)).toMatchObject({ type: 'valid', payload })
  expect(await new Seal([keyOf('new')]).open('session', sealed, now)).toMatchObject({ type: 'valid' })
  const older = await new Seal([keyOf('old')]).close('session', payload, nowS + 60)
  expect(await open(older)).toMatchObject({ type: 'valid', payload })
  expect(sealed).not.toContain(Buffer.from('mina').toString('base64url'))
})

test('it expires, and is of one purpose', async () => {
  const sealed = await seal.close('session', payload, nowS + 60)
  expect(await open(sealed, new Date(now.getTime() + 61_000))).toEqual({ type: 'expired' })
  expect(await seal.open('login', sealed, now)).toEqual({ type: 'none' })
})

test('whatever else a browser sends is none: another key, another algorithm, no encryption, a signature', async () => {
  const others = new EncryptJWT(payload).setAudience('session').setExpirationTime(nowS + 60)
  const wrapped = others.setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM' })
  const claims = { ...payload, aud: 'session', exp: nowS + 60 }
  const forged = [
    await new Seal([keyOf('another')]).close('session', payload, nowS + 60),
    await wrapped.encrypt(keyOf('new')),
    await new EncryptJWT(claims)
      .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256' })
      .encrypt(keyOf('new')),
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(keyOf('new')),
    new UnsecuredJWT(claims).encode(),
    // Without an end it would be valid for ever.
    await new EncryptJWT({ ...payload, aud: 'session' })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(keyOf('new')),
    'x'.repeat(5_000),
  ]
  for (const cookie of forged) expect(await open(cookie), cookie.slice(0, 60)).toEqual({ type: 'none' })
})

test('a cookie with any change is none, and no text breaks the reader', async () => {
  const sealed = await seal.close('session', payload, nowS + 60)
  const changed = fc
    .record({
      at: fc.nat(sealed.length - 1),
      by: fc.constantFrom('A', 'z', '.', '-', '=', '%', '\u0000', ''),
    })
    .map(({ at, by }) => sealed.slice(0, at) + by + sealed.slice(at + 1))
  const parts = fc.array(fc.base64String(), { maxLength: 6 }).map((it) => it.join('.'))
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(changed, parts, fc.string(), fc.string({ unit: 'binary-ascii' })),
      async (cookie) => {
        fc.pre(!sameBytes(cookie, sealed))
        expect(await open(cookie)).toEqual({ type: 'none' })
      },
    ),
    { numRuns: 200 },
  )
})

/** The last character of a part has bits that mean nothing. */
const sameBytes = (one: string, other: string) => {
  const bytes = (it: string) => it.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'))
  return JSON.stringify(bytes(one)) === JSON.stringify(bytes(other))
}
