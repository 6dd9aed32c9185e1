/** The command that Kubernetes runs before a service. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { expect, inject, test } from 'vitest'
import { eventually } from '../../tests/doubles/eventually.ts'
import { withDatabase } from '../../tests/harness/database.ts'
import { startChild } from '../local/processes/child.ts'
import { compileCache } from '../local/service.ts'
import { migrate } from './migrate.ts'

test('it prints what it waits for, and exits when the database has all migrations', async () => {
  const name = `test-${randomBytes(5).toString('hex')}`
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  await server`create database ${server(name)}`
  const databaseUrl = withDatabase(inject('postgresUrl'), name)
  const wait = async (partitions: number) => {
    const lines: string[] = []
    const child = await startChild({
      command: process.execPath,
      args: ['deploy/ops/await-migration.ts', 'stock'],
      env: {
        ...compileCache,
        DATABASE_URL: databaseUrl,
        REDIS_URL: 'redis://unused',
        PARTITIONS: String(partitions),
      },
      onLine: (line) => lines.push(line),
    })
    return { lines, child }
  }
  try {
    const { lines, child } = await wait(4)
    await eventually(() => lines.length === 1)
    expect(lines[0]).toMatch(
      /^Waiting for the migration of stock: relation "migration" does not exist$|role "stock"/,
    )

    await migrate({ databaseUrl, partitions: 4 })
    expect(await child.exited).toMatchObject({ code: 0 })
    expect(lines.at(-1)).toBe('The database is ready for stock.')

    // Waiting cannot help: the number of partitions never changes.
    const other = await wait(8)
    expect(await other.child.exited).toMatchObject({ code: 1 })
    expect(other.lines.join()).toContain('PARTITIONS is 8')

    // A newer version has one more migration.
    const sql = postgres(databaseUrl, { max: 1 })
    await sql`delete from stock.migration where name = '0001-stock.sql'`
    await sql.end()
    const newer = await wait(4)
    await eventually(() => newer.lines.length === 1)
    expect(newer.lines[0]).toBe('Waiting for the migration of stock: 0001-stock.sql not applied yet')
    await newer.child.stop()
  } finally {
    await server`drop database if exists ${server(name)} with (force)`
    await server.end()
  }
})
