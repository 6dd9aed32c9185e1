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

/** Users who may assume one of these go on logging in: services that log in as a common user, backups, monitoring. */
const known = [...serviceNames, 'pg_read_all_data', 'pg_monitor']

/** Run again, it changes the passwords; who is logged in stays so. @param admin of a user who may create roles. */
export async function letRolesLogIn(admin: postgres.Sql, passwords: Passwords): Promise<void> {
  const [{ database, limit }] = await admin<[{ database: string; limit: number }]>`
    select current_database() as database, current_setting('max_connections')::int / 2 as limit`
  const guests = await admin<{ name: string }[]>`
    select rolname as name from pg_roles as guest
    where rolcanlogin and not rolsuper and exists (
      select from pg_roles as it where it.rolname = any(${known}::text[]) and pg_has_role(guest.oid, it.oid, 'member'))`
  for (const { name } of guests) await admin`grant connect on database ${admin(database)} to ${admin(name)}`
  for (const service of serviceNames) {
    const verifier = scramVerifier(passwords[service], randomBytes(16))
    // No statement that alters a role takes parameters. A verifier is base64, `$` and `:`, and so safe within quotes.
    // No service takes the connections of all.
    await admin.unsafe(`alter role ${service} login password '${verifier}' connection limit ${limit}`)
    await admin`grant connect on database ${admin(database)} to ${admin(service)}`
  }
  // Roles of others on the server have no business here; temporary tables are no service's work.
  await admin`revoke connect, temporary on database ${admin(database)} from public`
}
