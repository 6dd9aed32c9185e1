/** Dead letters, for operators: listed, redriven or dropped. */
import type { Fields } from './envelope.ts'
import { headOf, readFields } from './letter.ts'
import type { Fragment, Sql } from './postgres.ts'

/** A letter has the position that its message had in its partition. */
export type LetterPlace = { partition: number; position: string }

/** A letter without its content. */
export type LetterSummary = LetterPlace & {
  /** Null if the message names none, or if a version before this one has set it aside. */
  type: string | null
  subject: string | null
  reason: string
  /** Whether the partition's owner was asked to handle it again. */
  redrive: boolean
  /** Whether its content could be kept. */
  redrivable: boolean
  at: Date
}

export type DeadLetter = LetterSummary & { fields: Fields }

/** Letters that have all of these. */
export type LetterFilter = {
  reason?: string | undefined
  type?: string | undefined
  subject?: string | undefined
  partition?: number | undefined
  /** By Postgres's clock: the last time at which they were set aside. */
  until?: Date | undefined
}

/** @returns all letters, oldest first, at most `limit`. */
export async function listLetters(sql: Sql, limit: number): Promise<DeadLetter[]> {
  const rows = await sql<DeadLetter[]>`
    select ${summary(sql)}, to_json(fields) as fields from dead_letter order by at, partition, position limit ${limit}`
  return rows.map(asRead)
}

/** The time is text, because it is more exact than a `Date`. */
type LetterKey = LetterPlace & { at: string }

/**
 * Lists letters without their content, oldest first. A letter that fails again moves to the end.
 * @param after the last letter of the page before, with its time `exactly`.
 */
export async function pageLetters(
  sql: Sql,
  filter: LetterFilter,
  limit: number,
  { at, partition, position }: LetterKey = { at: '-infinity', partition: 0, position: '' },
): Promise<(LetterSummary & { exactly: string })[]> {
  return await sql<(LetterSummary & { exactly: string })[]>`
    select ${summary(sql)}, at::text as exactly from dead_letter
    where (at, partition, position) > (${at}::text::timestamptz, ${partition}::int, ${position}::text)
      and ${isLike(sql, filter)}
    order by at, partition, position limit ${limit}`
}

export async function readLetter(
  sql: Sql,
  { partition, position }: LetterPlace,
): Promise<DeadLetter | undefined> {
  const [row] = await sql<DeadLetter[]>`
    select ${summary(sql)}, to_json(fields) as fields from dead_letter
    where partition = ${partition} and position = ${position}`
  return row && asRead(row)
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

/**
 * Does the same with one letter, however often it is called.
 * @returns undefined if there is none that can be redriven.
 */
export async function redriveLetter(sql: Sql, { partition, position }: LetterPlace) {
  const [row] = await sql<LetterSummary[]>`
    update dead_letter set redrive = true
    where partition = ${partition} and position = ${position} and cardinality(fields) > 0
    returning ${summary(sql)}`
  return row
}

export type Redriven = {
  /** How many will be handled again. */
  redriven: number
  /** Whether there are more, besides those that cannot be redriven. */
  more: boolean
  /** As given, or the time of this call. With it, a repeated call leaves letters alone that have failed again. */
  until: Date
}

/** Does the same with the oldest letters like these that were not asked for yet, at most `limit`. */
export async function redriveLike(sql: Sql, filter: LetterFilter, limit: number): Promise<Redriven> {
  const { until = null } = filter
  const waiting = sql`from dead_letter where not redrive and cardinality(fields) > 0 and ${isLike(sql, filter)}`
  const [row] = await sql<Redriven[]>`
    with chosen as materialized (
      select partition, position ${waiting} order by at, partition, position limit ${limit} for update
    ), redriven as (
      update dead_letter d set redrive = true from chosen c
      where d.partition = c.partition and d.position = c.position
      returning 1
    )
    select (select count(*) from redriven) as redriven, exists (select ${waiting} offset ${limit}) as more,
      coalesce(${until}, now()) as until`
  return row!
}

/** @returns how many were dropped. A letter that is being handled at that moment may still have its effect. */
export async function dropLetters(sql: Sql, which: Which): Promise<number> {
  return (await sql`delete from dead_letter where ${matches(sql, which)}`).count
}

export type Which = 'all' | LetterPlace

const matches = (sql: Sql, which: Which) =>
  which === 'all' ? sql`true` : sql`partition = ${which.partition} and position = ${which.position}`

/** Times are shown in milliseconds, so they are compared in milliseconds. */
const isLike = (sql: Sql, { reason, type, subject, partition, until }: LetterFilter): Fragment => sql`true
  ${reason === undefined ? sql`` : sql`and reason = ${reason}`}
  ${type === undefined ? sql`` : sql`and type = ${type}`}
  ${subject === undefined ? sql`` : sql`and subject = ${subject}`}
  ${partition === undefined ? sql`` : sql`and partition = ${partition}`}
  ${until === undefined ? sql`` : sql`and date_trunc('milliseconds', at) <= ${until}`}`

const summary = (sql: Sql): Fragment =>
  sql`partition, position, type, subject, reason, redrive, cardinality(fields) > 0 as redrivable, at`

/** @returns letters of these partitions that an operator wants handled again. */
export async function lettersToRedrive(
  sql: Sql,
  partitions: number[],
): Promise<Pick<DeadLetter, 'partition' | 'position' | 'fields'>[]> {
  const rows = await sql<Pick<DeadLetter, 'partition' | 'position' | 'fields'>[]>`
    select partition, position, to_json(fields) as fields from dead_letter
    where redrive and partition = any(${partitions}::int[]) order by at limit 100`
  return rows.map((it) => ({ ...it, fields: readFields(it.fields) }))
}

function asRead(letter: DeadLetter): DeadLetter {
  const fields = readFields(letter.fields)
  const { type, subject } = headOf(fields)
  return { ...letter, type: letter.type ?? type, subject: letter.subject ?? subject, fields }
}
