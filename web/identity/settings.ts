/** The settings of logging in. They are needed while `IDENTITY` is `on`, and ignored otherwise. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { pairs, url } from '../../platform/setting.ts'
import { type Role, roles } from '../who.ts'
import { signingKeys } from './signing-keys.ts'

const claim = () =>
  z.string().regex(/^[\w:/-]+(\.[\w:/-]+)*$/, 'must be a name like sub or realm_access.roles')

const rolesMessage = `must be like librarians=stock-manager, with roles among ${roles.join(', ')}`

const text = (max: number) =>
  z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .max(max)

/** Of each secret the SHA-256 is the key, so that any text has the length that the algorithm needs. */
const sessionKeys = () =>
  z
    .string()
    .transform((text) => text.split(/\s+/))
    .refine(
      (secrets) => secrets.length <= 10 && secrets.every((it) => it.length >= 32),
      'must be secrets of 32 characters or more, separated by spaces, ten at most',
    )
    .transform((secrets) => secrets.map((it) => new Uint8Array(hash('sha256', it, 'buffer'))))

export const loginSettings = {
  // As it is: some issuers end with a slash.
  OIDC_ISSUER: url(['https', 'http'], 'https://login.example/realms/library')
    .optional()
    .describe(
      'With `IDENTITY=on`: the OpenID provider that people log in at ([how](security.md#people)). Its discovery document is read at the first login',
    ),
  OIDC_CLIENT_ID: text(256).optional().describe('The name of the pages at the provider'),
  OIDC_CLIENT_SECRET: text(1_024).optional().describe('The secret of that client'),
  OIDC_SCOPE: z
    .string()
    .regex(/(^| )openid( |$)/, 'must contain openid')
    .default('openid')
    .describe(
      'Scope that the provider is asked for. Some give roles only with another scope, such as `openid roles`',
    ),
  OIDC_ROLES_CLAIM: claim()
    .default('roles')
    .describe('Claim with the roles of a person, such as `realm_access.roles`'),
  OIDC_ROLES: pairs(/^[^=,]{1,200}$/, z.enum(roles, rolesMessage), rolesMessage).describe(
    'Roles of the provider and what they are here: `librarians=stock-manager,buyers=purchaser`. A person without any is a customer',
  ),
  OIDC_USERID_CLAIM: claim()
    .default('sub')
    .describe(
      'Claim with the `userid` of a person, such as a card number: printable ASCII, at most 128 characters',
    ),
  TOKEN_KEY: signingKeys()
    .optional()
    .describe(
      'Private Ed25519 keys (JWK) that sign the tokens of the pages, in JSON. The first one signs; all are published at `/.well-known/jwks.json` ([rotation](security.md#keys-of-the-pages))',
    ),
  SESSION_KEY: sessionKeys()
    .optional()
    .describe(
      'Secrets of 32 characters or more that encrypt the cookies of sessions, separated by spaces or line breaks, newest first',
    ),
}

/** Those that logging in needs. */
const needed = [
  'OIDC_ISSUER',
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'PUBLIC_URL',
  'TOKEN_KEY',
  'SESSION_KEY',
  'DATABASE_URL',
]

/** The faults of the settings together. @param env as given, because some of them may be invalid. */
export function loginFaults(env: Record<string, string>): string[] {
  const isProduction = env.PRODUCTION?.toLowerCase() === 'true'
  if (env.IDENTITY?.toLowerCase() !== 'on')
    return isProduction
      ? ['IDENTITY must be on with PRODUCTION=true: otherwise everyone may do everything']
      : []
  const faults = needed
    .filter((name) => !env[name])
    .map((name) => `${name} is not set, but IDENTITY=on needs it`)
  if (isProduction)
    for (const name of ['OIDC_ISSUER', 'PUBLIC_URL'])
      if (env[name]?.startsWith('http:')) faults.push(`${name} must begin with https: with PRODUCTION=true`)
  return faults
}

type Given = z.infer<z.ZodObject<typeof loginSettings>> & {
  IDENTITY: 'on' | 'off'
  PUBLIC_URL?: string | undefined
  DATABASE_URL?: string | undefined
  TOKEN_ISSUER?: string[] | undefined
  TOKEN_AUDIENCE: string
  FORWARDED_HOPS: number
}

/** @param it without `loginFaults`. @returns undefined while identity is off. */
export const toLogin = (it: Given) =>
  it.IDENTITY === 'off'
    ? undefined
    : {
        issuer: it.OIDC_ISSUER!,
        clientId: it.OIDC_CLIENT_ID!,
        clientSecret: it.OIDC_CLIENT_SECRET!,
        scope: it.OIDC_SCOPE,
        rolesClaim: it.OIDC_ROLES_CLAIM,
        roles: it.OIDC_ROLES ?? ({} as Readonly<Record<string, Role>>),
        useridClaim: it.OIDC_USERID_CLAIM,
        /** The URL at which browsers reach the pages. */
        publicUrl: it.PUBLIC_URL!,
        /** `iss` and `aud` of the tokens that the pages make. */
        tokenIssuer: it.TOKEN_ISSUER?.[0] ?? it.PUBLIC_URL!,
        tokenAudience: it.TOKEN_AUDIENCE,
        /** The first one signs. */
        tokenKeys: it.TOKEN_KEY!,
        /** The first one encrypts. */
        sessionKeys: it.SESSION_KEY!,
        databaseUrl: it.DATABASE_URL!,
        /** Proxies in front that add the client's address. */
        forwardedHops: it.FORWARDED_HOPS,
      }

export type LoginSettings = NonNullable<ReturnType<typeof toLogin>>
