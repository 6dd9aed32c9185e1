/** Migrated databases for tests. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { migrate } from '../../deploy/ops/migrate.ts'
import type { ServiceName } from '../../platform/config.ts'
import { closePostgres, closing, openPostgres, type Sql } from '../../streams/postgres.ts'

/**
 * Creates a migrated database. On the server of the test run only the first one with as many partitions is migrated. The others
 * are copies of it, which takes a quarter of the time.
 * @returns its URL.
 */
export async function createDatabase(
  server: postgres.Sql,
  serverUrl: string,
  name: string,
  partitions: number,
): Promise<string> {
  const create = async (database: string) => {
    await server`create database ${server(database)}`
    const databaseUrl = withDatabase(serverUrl, database)
    await migrate({ databaseUrl, partitions })
    return databaseUrl
  }
  if (serverUrl !== inject('postgresUrl')) return await create(name)
  const template = `migrated_${partitions}`
  // Another worker of the test run may want the same one.
  await server`select pg_advisory_lock(hashtext(${template}))`
  const [made] = await server`select from pg_database where datname = ${template} and datistemplate`
  if (!made) {
    await create(template)
    await server`alter database ${server(template)} is_template true`
  }
  await server`select pg_advisory_unlock(hashtext(${template}))`
  await server`create database ${server(name)} template ${server(template)}`
  return withDatabase(serverUrl, name)
}

export function withDatabase(url: string, database: string): string {
  const it = new URL(url)
  it.pathname = `/${database}`
  return it.href
}

export type OpenDatabase = AsyncDisposable & {
  /** Hot connections, as services have them. */
  sql: Sql
  /** Opens one more connection, for a transaction whose locks others wait for. */
  connection(): Sql & AsyncDisposable
}

/** @returns connections of a service to a new database, which is dropped when they are disposed. */
export async function openDatabase(schema: ServiceName, partitions = 4): Promise<OpenDatabase> {
  const serverUrl = inject('postgresUrl')
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} })
  const name = `${schema}_${randomBytes(5).toString('hex')}`
  const url = await createDatabase(server, serverUrl, name, partitions)
  const sql = openPostgres(url, { schema, max: 4, hot: true })
  const connection = () => closing(openPostgres(url, { schema, max: 1 }))
  const dispose = async () => {
    await closePostgres(sql)
    await server`drop database if exists ${server(name)} with (force)`
    await server.end({ timeout: 1 })
  }
  return { sql, connection, [Symbol.asyncDispose]: dispose }
}
