/** A migrated database for one test. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { migrate } from '../../deploy/ops/migrate.ts'
import type { ServiceName } from '../../platform/config.ts'
import { closePostgres, openPostgres, type Sql } from '../../streams/postgres.ts'

/** @returns a service's hot connections to a new database, which is dropped when they are disposed. */
export async function openDatabase(
  schema: ServiceName,
  partitions = 4,
): Promise<{ sql: Sql } & AsyncDisposable> {
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  const name = `${schema}_${randomBytes(5).toString('hex')}`
  await server`create database ${server(name)}`
  const url = new URL(inject('postgresUrl'))
  url.pathname = name
  await migrate({ databaseUrl: url.href, partitions })
  const sql = openPostgres(url.href, { schema, max: 4, hot: true })
  const dispose = async () => {
    await closePostgres(sql)
    await server`drop database if exists ${server(name)} with (force)`
    await server.end({ timeout: 1 })
  }
  return { sql, [Symbol.asyncDispose]: dispose }
}
