/**
 * Waits until the database has all migrations of this version: `await-migration.ts stock`. Prints what it waits for.
 * Kubernetes runs it before the service, as the service's own role, so that new code never meets an old schema.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, readEnv, type ServiceName, serviceNames, toConfig } from '../../platform/config.ts'
import { closing, openPostgres, type Sql } from '../../streams/postgres.ts'
import { checkPartitions } from '../../streams/setup.ts'
import { runCommand } from './command.ts'
import { migrationsOf } from './migrations.ts'

const pauseMs = 1_000

/** @returns why the service cannot start yet; undefined when it can. */
export async function missing(sql: Sql, service: ServiceName): Promise<string | undefined> {
  try {
    const applied = await sql<{ name: string }[]>`select name from migration`
    const names = new Set(applied.map(({ name }) => name))
    const open = migrationsOf(service).flatMap(({ name }) => (names.has(name) ? [] : [name]))
    return open.length > 0 ? `${open.join(', ')} not applied yet` : undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** @throws {SetupError} when waiting cannot help: the database was migrated for another number of partitions. */
async function awaitMigration(service: ServiceName, databaseUrl: string, partitions: number): Promise<void> {
  await using sql = closing(openPostgres(databaseUrl, { schema: service, max: 1 }))
  let said: string | undefined
  for (;;) {
    const reason = await missing(sql, service)
    if (reason === undefined) break
    if (reason !== said) console.log(`Waiting for the migration of ${service}: ${reason}`)
    said = reason
    await delay(pauseMs)
  }
  await checkPartitions(sql, partitions)
  console.log(`The database is ready for ${service}.`)
}

if (import.meta.main) {
  // A waiting pod has nothing to clean up.
  process.on('SIGTERM', () => process.exit(0))
  await runCommand(async () => {
    const service = serviceNames.find((name) => name === process.argv[2])
    if (!service) throw new ConfigError([`Name the service that waits: ${serviceNames.join(', ')}`])
    const { databaseUrl, partitions } = toConfig(service, readEnv())
    await awaitMigration(service, databaseUrl, partitions)
  })
}
