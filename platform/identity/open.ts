import type { Sql } from '../../streams/postgres.ts'
import type { Log } from '../log.ts'
import type { Guard } from './guard.ts'
import { keyStoreIn } from './key-store.ts'
import type { IdentitySettings } from './settings.ts'

/** @returns undefined while identity is off. Then nothing is loaded that verifies signatures. */
export async function openGuard(
  identity: IdentitySettings | undefined,
  sql: Sql,
  log: Log,
): Promise<Guard | undefined> {
  if (!identity) return undefined
  const [{ Guard }, { Tokens }] = await Promise.all([import('./guard.ts'), import('./tokens.ts')])
  const tokens = new Tokens({ ...identity, keyStore: keyStoreIn(sql), log })
  // Not waited for: a service starts and accepts while the issuer is down.
  void tokens.readKeys()
  return new Guard({ tokens, forwardedHops: identity.forwardedHops })
}
