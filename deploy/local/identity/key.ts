/**
 * The issuer of `npm start -- --identity`: a signing key in the data folder, which only its user can read, and its public key as
 * a file that the services read.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Role } from '../../../platform/identity/caller.ts'

const issuer = 'bookreservation-local'
const audience = 'bookreservation'
const alg = 'EdDSA'

const filesIn = (dataDir: string) => {
  const folder = join(dataDir, 'identity')
  return { folder, signing: join(folder, 'signing-key.json'), jwks: join(folder, 'jwks.json') }
}

/** Makes the keys unless they exist. @returns the settings of services that believe them. */
export async function openIssuer(dataDir: string): Promise<Record<string, string>> {
  const { folder, signing, jwks } = filesIn(dataDir)
  await mkdir(folder, { recursive: true })
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const made = { ...(await exportJWK(privateKey)), alg, kid: crypto.randomUUID() }
  // Of two that start at the same time, one writes.
  await writeFile(signing, JSON.stringify(made), { mode: 0o600, flag: 'wx' }).catch(unlessExists)
  const { d: _, ...shown } = await readKey(dataDir)
  await writeFile(jwks, JSON.stringify({ keys: [{ ...shown, use: 'sig' }] }))
  return {
    IDENTITY: 'on',
    TOKEN_ISSUER: issuer,
    TOKEN_JWKS_URL: pathToFileURL(jwks).href,
    TOKEN_AUDIENCE: audience,
  }
}

export type TokenOptions = { userid: string | undefined; roles: readonly Role[]; hours: number }

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
