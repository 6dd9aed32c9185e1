/** What Postgres keeps of a password: enough to check it, not to know it. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

/** As many as Postgres' own tools make. */
const iterations = 4_096

/**
 * The verifier by which Postgres knows a password, so that the password itself stays here: the server sees it in no
 * statement, and logs of statements cannot give it away.
 * Source: https://www.rfc-editor.org/rfc/rfc5803 and `scram_build_secret` in Postgres' scram-common.c
 * @param password printable ASCII, which SASLprep leaves as it is.
 */
export function scramVerifier(password: string, salt: Uint8Array): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const key = (of: string) => createHmac('sha256', salted).update(of).digest()
  const storedKey = createHash('sha256').update(key('Client Key')).digest('base64')
  const serverKey = key('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`
}
