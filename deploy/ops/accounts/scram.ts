/** The SCRAM verifier of a password, which Postgres stores instead of the password. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

/** The default of Postgres' own tools. */
const iterations = 4_096

/**
 * Computed here, so that the password appears in no statement and in no log of statements. Source:
 * https://www.rfc-editor.org/rfc/rfc5803 and `scram_build_secret` in Postgres' scram-common.c
 * @param password printable ASCII, which SASLprep leaves as it is.
 */
export function scramVerifier(password: string, salt: Uint8Array): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const key = (of: string) => createHmac('sha256', salted).update(of).digest()
  const storedKey = createHash('sha256').update(key('Client Key')).digest('base64')
  const serverKey = key('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`
}
