/**
 * Lets each service log in to Postgres by itself, as the role that owns its schema and nothing else.
 *
 * Whoever migrates makes these roles in any case, and services that log in as a common user assume them. A role with a
 * password needs no such user: what it can reach is its schema, whatever the service is made to do.
 */
import { randomBytes } from 'node:crypto'
import type postgres from 'postgres'
import { type Passwords, serviceNames } from '../config.ts'
import { scramVerifier } from './scram.ts'

/** Run again, it changes the passwords; who is logged in stays so. @param admin of a user who may create roles. */
export async function letRolesLogIn(admin: postgres.Sql, passwords: Passwords): Promise<void> {
  const [{ database, limit }] = await admin<[{ database: string; limit: number }]>`
    select current_database() as database, current_setting('max_connections')::int / 2 as limit`
  // Rows in memory of the server that nobody sees are none of their work.
  await admin`revoke temporary on database ${admin(database)} from public`
  for (const service of serviceNames) {
    const verifier = scramVerifier(passwords[service], randomBytes(16))
    // No statement that alters a role takes parameters. A verifier is base64, `$` and `:`, and so safe within quotes.
    // No service takes the connections of all.
    await admin.unsafe(`alter role ${service} login password '${verifier}' connection limit ${limit}`)
    await admin`grant connect on database ${admin(database)} to ${admin(service)}`
  }
}
