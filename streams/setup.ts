/** Checks that a database was migrated for this process, before anything starts. */
import { closePostgres, type Sql } from './postgres.ts'
import { adviceOn, faultsOfPostgres } from './requirements.ts'

/**
 * Ends the connections when it throws, because open ones would keep the process alive.
 * @throws {SetupError} when the database cannot work, the schema is missing, or it has another number of partitions.
 */
export async function checkPartitions(sql: Sql, partitions: number): Promise<void> {
  try {
    await check(sql, partitions)
  } catch (error) {
    await closePostgres(sql)
    throw error
  }
}

async function check(sql: Sql, partitions: number): Promise<void> {
  const faults = await faultsOfPostgres(sql).catch((error) => {
    const advice = adviceOn(error)
    // The migration creates the role and the schema of a service.
    if (advice) return [advice]
    if (error.code === '22023') return []
    throw error
  })
  if (faults.length > 0) throw new SetupError(`Cannot start: ${faults.join('; ')}`)
  const found = await sql<{ count: number }[]>`select count(*) from mailbox`.catch((error) => {
    if (error.code !== '42P01' && error.code !== '22023' && error.code !== '3F000') throw error
    throw new SetupError('Cannot start: the database is not migrated. Run: npm run migrate', { cause: error })
  })
  const count = found[0]!.count
  const fault = partitionsFault(partitions, count)
  if (fault) throw new SetupError(`Cannot start: ${fault}`)
}

/** @param count of the database. */
export const partitionsFault = (partitions: number, count: number): string | undefined =>
  count === partitions
    ? undefined
    : `PARTITIONS is ${partitions}, but the database was migrated with ${count}. The number is fixed by the first migration`

export class SetupError extends Error {
  override name = 'SetupError'
}
