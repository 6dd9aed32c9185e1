/** The public keys of issuers as a service read them last, in its database. A process that starts while an issuer is down has them. */
import type { Sql } from '../../streams/postgres.ts'

export type KeyStore = {
  /** @returns the keys as JSON; undefined if they were never read. */
  find(url: string): Promise<string | undefined>
  keep(url: string, jwks: string): Promise<void>
}

export const keyStoreIn = (sql: Sql): KeyStore => ({
  async find(url) {
    const [row] = await sql<{ jwks: string }[]>`select jwks from issuer_keys where url = ${url}`
    return row?.jwks
  },
  async keep(url, jwks) {
    await sql`
      insert into issuer_keys as it (url, jwks) values (${url}, ${jwks})
      on conflict (url) do update set jwks = excluded.jwks, read_at = excluded.read_at where it.jwks <> excluded.jwks`
  },
})
