/**
 * The secrets of `npm start -- --identity`, in the data folder, where only its user can read them: the key that signs the tokens of
 * the pages and of `npm run token`, with its public part in a file that the services read, and the key of sessions.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Role } from '../../../platform/identity/caller.ts'
import { clientId, people } from './people.ts'

const issuer = 'bookreservation-local'
const audience = 'bookreservation'
const alg = 'EdDSA'

const filesIn = (dataDir: string) => {
  const folder = join(dataDir, 'identity')
  return {
    folder,
    signing: join(folder, 'signing-key.json'),
    jwks: join(folder, 'jwks.json'),
    session: join(folder, 'session-key'),
  }
}

/** Makes the keys unless they exist. @returns the settings of the pages, and of services that trust them. */
export async function openIssuer(dataDir: string): Promise<Record<string, string>> {
  const { folder, signing, jwks, session } = filesIn(dataDir)
  await mkdir(folder, { recursive: true })
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const made = { ...(await exportJWK(privateKey)), alg, kid: crypto.randomUUID() }
  // Of two that start at the same time, one writes.
  await writeFile(signing, JSON.stringify(made), { mode: 0o600, flag: 'wx' }).catch(unlessExists)
  const secret = randomBytes(32).toString('base64url')
  await writeFile(session, secret, { mode: 0o600, flag: 'wx' }).catch(unlessExists)
  const { d: _, ...shown } = await readKey(dataDir)
  await writeFile(jwks, JSON.stringify({ keys: [{ ...shown, use: 'sig' }] }))
  return {
    IDENTITY: 'on',
    TOKEN_ISSUER: issuer,
    TOKEN_JWKS_URL: pathToFileURL(jwks).href,
    TOKEN_AUDIENCE: audience,
    TOKEN_KEY_FILE: signing,
    SESSION_KEY_FILE: session,
  }
}

/** The settings of pages whose people log in at the local provider. It takes the place of `OIDC_ISSUER` once it runs. */
export const localLogin = (): Record<string, string> => ({
  OIDC_ISSUER: 'http://localhost',
  OIDC_CLIENT_ID: clientId,
  OIDC_CLIENT_SECRET: randomBytes(24).toString('base64url'),
  OIDC_ROLES: people.map(({ role }) => `${role}=${role}`).join(','),
})

type TokenOptions = { userid: string | undefined; roles: readonly Role[]; hours: number }

/** @throws when `npm start -- --identity` has made no key there. */
export async function signToken(dataDir: string, { userid, roles, hours }: TokenOptions): Promise<string> {
  const key = await readKey(dataDir).catch((cause) => {
    throw new Error(`Cannot find a key in ${dataDir}: npm start -- --identity makes one`, { cause })
  })
  return await new SignJWT({ ...(userid === undefined ? {} : { userid }), roles })
    .setProtectedHeader({ alg, kid: key.kid! })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(userid ?? roles.join('+'))
    .setIssuedAt()
    .setExpirationTime(`${hours} hours`)
    .sign(await importJWK(key, alg))
}

const readKey = async (dataDir: string): Promise<JWK> =>
  JSON.parse(await readFile(filesIn(dataDir).signing, 'utf8')) as JWK

function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
