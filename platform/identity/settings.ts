/** The settings of identity: whether callers must say who they are, and whose tokens are trusted. */
import { z } from 'zod'
import { flag, integer, oneOf } from '../setting.ts'
import { apiTokens } from './api-tokens.ts'

const list = (message: string, isValid: (text: string) => boolean) =>
  z
    .string()
    .transform((text) => text.split(',').map((it) => it.trim()))
    .refine((them) => them.every(isValid), message)

/** Public keys are read by HTTP, or from a file, such as a mounted secret. */
function isKeysUrl(text: string): boolean {
  const url = URL.parse(text)
  if (!url || url.username || url.password) return false
  return url.protocol === 'file:' ? url.host === '' : /^https?:$/.test(url.protocol)
}

const onOff = () => z.string().toLowerCase().pipe(oneOf('off', 'on'))
export const identitySettings = {
  IDENTITY: onOff()
    .default('off')
    .describe(
      '`on`: callers must say who they are, and may do what their roles allow ([how](security.md)). `off`: everyone may do everything',
    ),
  PRODUCTION: flag()
    .prefault('false')
    .describe(
      '`true`: the service does not start with settings that are only safe on a laptop, such as `IDENTITY=off`',
    ),
  TOKEN_ISSUER: list('must be names like https://books.example, separated by commas', (it) =>
    /^[\x21-\x7e]+$/.test(it),
  )
    .optional()
    .describe('Issuer (`iss`) whose tokens are trusted; several are separated by commas'),
  TOKEN_JWKS_URL: list(
    'must be URLs like https://books.example/jwks.json or file:///etc/tokens/jwks.json, separated by commas',
    isKeysUrl,
  )
    .optional()
    .describe('URL of its public keys: `http`, `https` or `file`. Of several issuers, in their order'),
  TOKEN_AUDIENCE: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be printable ASCII without spaces')
    .default('bookreservation')
    .describe('Audience (`aud`) that tokens must have'),
  API_TOKENS: apiTokens()
    .optional()
    .describe(
      'Static tokens of programs: `name:role[,role]:sha256` of each, separated by spaces or line breaks ([how](security.md#programs))',
    ),
  FORWARDED_HOPS: integer(0, 10)
    .default(0)
    .describe(
      'How many proxies in front add the client’s address to `X-Forwarded-For`. Limits of callers without a token are by address',
    ),
  AUDIT_DAYS: integer(1, 3650)
    .default(400)
    .describe('How long the record of who did what is kept ([what is in it](security.md#audit))'),
}

type Given = z.infer<z.ZodObject<typeof identitySettings>>

/** @returns undefined while identity is off. */
export const toIdentity = (it: Given) =>
  it.IDENTITY === 'off'
    ? undefined
    : {
        issuers: (it.TOKEN_ISSUER ?? []).map((name, i) => ({ name, keysUrl: it.TOKEN_JWKS_URL![i]! })),
        audience: it.TOKEN_AUDIENCE,
        apiTokens: it.API_TOKENS ?? [],
        forwardedHops: it.FORWARDED_HOPS,
        auditDays: it.AUDIT_DAYS,
      }

export type IdentitySettings = NonNullable<ReturnType<typeof toIdentity>>

/** The faults of the settings together. @param env as given, because some of them may be invalid. */
export function identityFaults(env: Record<string, string>): string[] {
  const { TOKEN_ISSUER: issuer, TOKEN_JWKS_URL: url } = env
  const on = env.IDENTITY?.toLowerCase() === 'on'
  const faults: string[] = []
  if (!on && env.PRODUCTION?.toLowerCase() === 'true')
    faults.push('IDENTITY must be on with PRODUCTION=true: otherwise everyone may do everything')
  if (on && !issuer && !env.API_TOKENS)
    faults.push('IDENTITY is on, but no token is trusted: set TOKEN_ISSUER and TOKEN_JWKS_URL, or API_TOKENS')
  if (issuer && !url) faults.push('TOKEN_JWKS_URL is not set, but TOKEN_ISSUER needs it')
  if (url && !issuer) faults.push('TOKEN_ISSUER is not set, but TOKEN_JWKS_URL needs it')
  if (issuer && url && issuer.split(',').length !== url.split(',').length)
    faults.push('TOKEN_JWKS_URL must have as many URLs as TOKEN_ISSUER has names')
  return faults
}
