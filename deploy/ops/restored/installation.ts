/** The installation's three databases, with all services fenced out while the command runs. */

import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { type RenewalCount, restoresOf } from '../../../streams/incarnation.ts'
import { closePostgres, openPostgres, type Sql } from '../../../streams/postgres.ts'

export type DatabaseUrls = Record<ServiceName, string>
export type Databases = Record<ServiceName, Sql>

/** How long the partitions stay leased if the command crashes. */
const leaseFor = '10 minutes'

type Installation = AsyncDisposable & {
  databases: Databases
  /** Later than every incarnation that the databases and Redis know. */
  incarnation: string
  /** Starts the incarnation. The last step: if the command crashes earlier, services still refuse to work. */
  begin(): Promise<void>
}

/**
 * Leases every partition of every service, so that running workers are fenced out. Disposing releases the partitions.
 */
export async function leaseInstallation(urls: DatabaseUrls, known: RenewalCount[]): Promise<Installation> {
  const databases = {} as Databases
  for (const service of serviceNames)
    databases[service] = openPostgres(urls[service], { schema: service, max: 2 })
  const all = Object.values(databases)
  const owner = `restored-${crypto.randomUUID()}`
  try {
    const found = (await Promise.all(all.map((sql) => leasePartitions(sql, owner)))).filter((id) => id !== '')
    const restores = Math.max(0, ...[...found, ...known.map(({ id }) => id)].map(restoresOf)) + 1
    const incarnation = `${restores}-${crypto.randomUUID().slice(0, 8)}`
    return {
      databases,
      incarnation,
      async begin() {
        for (const sql of all) await begin(sql, incarnation)
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(all.map((sql) => releasePartitions(sql, owner)))
        await Promise.all(all.map(closePostgres))
      },
    }
  } catch (error) {
    await Promise.all(all.map(closePostgres))
    throw error
  }
}

/** Raises the epochs, which fences out earlier owners. @returns the database's incarnation so far. */
async function leasePartitions(sql: Sql, owner: string): Promise<string> {
  await sql`
    update mailbox set owner = ${owner}, epoch = epoch + 1, lease_until = clock_timestamp() + ${leaseFor}::interval`
  const [row] = await sql<{ id: string }[]>`select id from incarnation`
  return row!.id
}

const begin = (sql: Sql, id: string) => sql`update incarnation set id = ${id}`

const releasePartitions = (sql: Sql, owner: string) => sql`
  update mailbox set owner = null, lease_until = '-infinity' where owner = ${owner}`
