/** The installation as the command works on it: its three databases, of which no service works on any meanwhile. */
import { type RenewalCount, restoresOf } from '../../streams/incarnation.ts'
import { closePostgres, openPostgres, type Sql } from '../../streams/postgres.ts'
import { type ServiceName, serviceNames } from '../config.ts'

export type DatabaseUrls = Record<ServiceName, string>
export type Databases = Record<ServiceName, Sql>

/** How long partitions stay ours, if the command should die. */
const heldFor = '10 minutes'

export type Installation = AsyncDisposable & {
  databases: Databases
  /** One that follows on all that the databases and Redis know of. */
  incarnation: string
  /** Gives it to the installation. The last step: what dies before leaves services as they were, unable to work. */
  begin(): Promise<void>
}

/**
 * Takes every partition of every service, so that a worker that still runs can commit nothing. Disposing of it gives the
 * partitions back.
 */
export async function takeInstallation(urls: DatabaseUrls, known: RenewalCount[]): Promise<Installation> {
  const databases = {} as Databases
  for (const service of serviceNames)
    databases[service] = openPostgres(urls[service], { schema: service, max: 2 })
  const all = Object.values(databases)
  // Names this run of the command as the owner of every partition.
  const owner = `restored-${crypto.randomUUID()}`
  try {
    const found = (await Promise.all(all.map((sql) => holdPartitions(sql, owner)))).filter((id) => id !== '')
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

/** A new epoch fences out whoever owned a partition before. @returns the incarnation that the database has had. */
async function holdPartitions(sql: Sql, owner: string): Promise<string> {
  await sql`
    update mailbox set owner = ${owner}, epoch = epoch + 1, lease_until = clock_timestamp() + ${heldFor}::interval`
  const [row] = await sql<{ id: string }[]>`select id from incarnation`
  return row!.id
}

const begin = (sql: Sql, id: string) => sql`update incarnation set id = ${id}`

const releasePartitions = (sql: Sql, owner: string) => sql`
  update mailbox set owner = null, lease_until = '-infinity' where owner = ${owner}`
