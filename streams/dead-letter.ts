/** Messages set aside: listed, driven again, or dropped. */
import type { Fields } from './envelope.ts'
import type { Sql } from './postgres.ts'

export type DeadLetter = {
  partition: number
  position: string
  fields: Fields
  reason: string
  redrive: boolean
  at: Date
}

/** @returns all letters, oldest first, at most `limit`. */
export const listLetters = (sql: Sql, limit: number): Promise<DeadLetter[]> => sql<DeadLetter[]>`
  select partition, position, reason, to_json(fields) as fields, redrive, at from dead_letter order by at limit ${limit}`

export async function countLetters(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*) from dead_letter`
  return row!.count
}

/**
 * Asks the partitions' owners to handle letters again, out of their order. One that fails again stays, with its new reason.
 * @returns how many.
 */
export async function redriveLetters(sql: Sql, which: Which): Promise<number> {
  return (await sql`update dead_letter set redrive = true where ${matches(sql, which)}`).count
}

/** @returns how many were dropped. */
export async function dropLetters(sql: Sql, which: Which): Promise<number> {
  return (await sql`delete from dead_letter where ${matches(sql, which)}`).count
}

export type Which = 'all' | { partition: number; position: string }

const matches = (sql: Sql, which: Which) =>
  which === 'all' ? sql`true` : sql`partition = ${which.partition} and position = ${which.position}`

/** @returns letters of these partitions that somebody wants handled again. */
export const lettersToRedrive = (
  sql: Sql,
  partitions: number[],
): Promise<Pick<DeadLetter, 'partition' | 'position' | 'fields'>[]> => sql<DeadLetter[]>`
  select partition, position, to_json(fields) as fields from dead_letter
  where redrive and partition = any(${partitions}::int[]) order by at limit 100`
