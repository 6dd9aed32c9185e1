/** Static tokens of programs: importers, kiosks, return boxes, load tests. The settings hold their SHA-256 alone. */
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { type Caller, roles } from './caller.ts'

/** A token that programs send, as it is stored. */
export type ApiToken = { caller: Caller; digest: Buffer }

const form =
  'must be like importer:stock-manager:<SHA-256 in hex>, several separated by spaces or line breaks'
const roleNames = `must have roles among ${roles.join(', ')}, separated by commas`
const names = z.enum(roles, roleNames)

const apiToken = z
  .string()
  .regex(/^[\w.-]{1,64}:[\w,-]{1,200}:[\da-f]{64}$/i, form)
  .transform((text) => text.split(':') as [string, string, string])
  .pipe(
    z.tuple([
      z.string(),
      z
        .string()
        .transform((text) => text.split(','))
        .pipe(z.array(names).min(1)),
      z.string(),
    ]),
  )
  .refine(
    ([, granted]) => !granted.includes('customer'),
    'must not have the role customer: programs are none',
  )
  .transform(
    ([name, granted, hex]): ApiToken => ({
      caller: { authtype: 'service_account', authid: name, userid: undefined, roles: granted },
      digest: Buffer.from(hex, 'hex'),
    }),
  )

export const apiTokens = () =>
  z
    .string()
    .transform((text) => text.split(/\s+/))
    .pipe(z.array(apiToken).max(1_000))
    .refine(
      (them) => new Set(them.map((it) => it?.caller?.authid)).size === them.length,
      'must name each token once',
    )

/**
 * Compares with every token, in constant time. All digests have one length, and are not secret: a token of 128 random bits
 * cannot be found from its digest.
 * @param digest SHA-256 of the token that was sent.
 */
export function findApiToken(tokens: readonly ApiToken[], digest: Buffer): Caller | undefined {
  let found: Caller | undefined
  for (const token of tokens) if (timingSafeEqual(token.digest, digest)) found = token.caller
  return found
}
