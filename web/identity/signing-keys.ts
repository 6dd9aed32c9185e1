/** The Ed25519 keys of the pages, as JWKs (RFC 8037). */
import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto'
import { z } from 'zod'

export const signingAlgorithm = 'EdDSA'

export type SigningKey = {
  kid: string
  privateKey: KeyObject
  /** Its public part. */
  publicJwk: { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; alg: string; use: 'sig' }
}

const message = 'must be Ed25519 keys in JSON, with kty, crv, x and d: one JWK, a list of them, or a JWK set'

const coordinate = z.string().regex(/^[\w-]{43}$/)
const jwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: coordinate,
  d: coordinate,
  kid: z.string().min(1).max(200).optional(),
})
const listSchema = z.union([
  z.object({ keys: z.array(jwkSchema).min(1).max(10) }).transform(({ keys }) => keys),
  z.array(jwkSchema).min(1).max(10),
  jwkSchema.transform((it) => [it]),
])

/** No error repeats a part of a key. */
export const signingKeys = () =>
  z.string().transform((text, context): SigningKey[] => {
    try {
      const keys = listSchema.parse(JSON.parse(text)).map(toKey)
      if (new Set(keys.map(({ kid }) => kid)).size === keys.length) return keys
    } catch {
      // The reason might show the key.
    }
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

function toKey({ kid: given, d, ...jwk }: z.output<typeof jwkSchema>): SigningKey {
  const privateKey = createPrivateKey({ key: { ...jwk, d }, format: 'jwk' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (x !== jwk.x) throw new Error('The public part belongs to another key')
  const kid = given ?? thumbprintOf(jwk)
  return { kid, privateKey, publicJwk: { ...jwk, kid, alg: signingAlgorithm, use: 'sig' } }
}

/** RFC 7638: the members that are required, in the order of their names. */
const thumbprintOf = ({ crv, kty, x }: Pick<SigningKey['publicJwk'], 'crv' | 'kty' | 'x'>): string =>
  hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url')
