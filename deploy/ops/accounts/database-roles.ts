/**
 * Lets each service log in to Postgres as the role that owns its schema and nothing else.
 *
 * A migration always creates these roles, and services that log in as a common user assume them. A role with a
 * password needs no common user, and reaches only its schema, even if the service is compromised.
 */
import { randomBytes } from 'node:crypto'
import type postgres from 'postgres'
import { type Passwords, processNames } from '../../../platform/config.ts'
import { scramVerifier } from './scram.ts'

/** Members of these roles can still log in: services with a common user, backups, monitoring. */
const known = [...processNames, 'pg_read_all_data', 'pg_monitor']

/**
 * Running it again changes the passwords; open sessions stay.
 * @param admin its user may create roles.
 * @param passwords that of the pages is absent if they have no login.
 */
export async function letRolesLogIn(
  admin: postgres.Sql,
  passwords: Passwords & { web?: string },
): Promise<void> {
  const [{ database, limit }] = await admin<[{ database: string; limit: number }]>`
    select current_database() as database, current_setting('max_connections')::int / 2 as limit`
  const guests = await admin<{ name: string }[]>`
    select rolname as name from pg_roles as guest
    where rolcanlogin and not rolsuper and exists (
      select from pg_roles as it where it.rolname = any(${known}::text[]) and pg_has_role(guest.oid, it.oid, 'member'))`
  for (const { name } of guests) await admin`grant connect on database ${admin(database)} to ${admin(name)}`
  for (const service of processNames) {
    const password = passwords[service]
    if (password === undefined) continue
    const verifier = scramVerifier(password, randomBytes(16))
    // `alter role` takes no parameters. A verifier is base64, `$` and `:`, so it is safe within quotes. The limit keeps one service from taking all connections.
    await admin.unsafe(`alter role ${service} login password '${verifier}' connection limit ${limit}`)
    await admin`grant connect on database ${admin(database)} to ${admin(service)}`
  }
  // Other roles of the server may not connect; no service needs temporary tables.
  await admin`revoke connect, temporary on database ${admin(database)} from public`
}
