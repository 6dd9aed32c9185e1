/** Dead letters, for operators: listed, redriven or dropped. */
import type { Fields } from './envelope.ts'
import { readFields } from './letter.ts'
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
export async function listLetters(sql: Sql, limit: number): Promise<DeadLetter[]> {
  const rows = await sql<DeadLetter[]>`
    select partition, position, reason, to_json(fields) as fields, redrive, at from dead_letter order by at limit ${limit}`
  return rows.map(asRead)
}

export async function countLetters(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*) from dead_letter`
  return row!.count
}

/**
 * Asks the partitions' owners to handle letters again, out of order. A letter that fails again stays, with its new reason. A
 * letter whose content could not be kept stays as it is.
 * @returns how many will be handled again.
 */
export async function redriveLetters(sql: Sql, which: Which): Promise<number> {
  const redriven = await sql`
    update dead_letter set redrive = true where cardinality(fields) > 0 and ${matches(sql, which)}`
  return redriven.count
}

/** @returns how many were dropped. */
export async function dropLetters(sql: Sql, which: Which): Promise<number> {
  return (await sql`delete from dead_letter where ${matches(sql, which)}`).count
}

export type Which = 'all' | { partition: number; position: string }

const matches = (sql: Sql, which: Which) =>
  which === 'all' ? sql`true` : sql`partition = ${which.partition} and position = ${which.position}`

/** @returns letters of these partitions that an operator wants handled again. */
export async function lettersToRedrive(
  sql: Sql,
  partitions: number[],
): Promise<Pick<DeadLetter, 'partition' | 'position' | 'fields'>[]> {
  const rows = await sql<DeadLetter[]>`
    select partition, position, to_json(fields) as fields from dead_letter
    where redrive and partition = any(${partitions}::int[]) order by at limit 100`
  return rows.map(asRead)
}

const asRead = (letter: DeadLetter): DeadLetter => ({ ...letter, fields: readFields(letter.fields) })
