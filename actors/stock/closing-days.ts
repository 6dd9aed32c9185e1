/** Days on which the library is closed, besides its closed weekdays. */
import type { Sql } from '../../streams/postgres.ts'
import { type Calendar, countedDaysMax } from './deadline.ts'

/** @property date as `YYYY-MM-DD`. */
export type ClosingDay = { date: string; note: string }

/** In order, from a date on. @param limit one more than a page holds, to see whether another page follows. */
export const closingDays = (sql: Sql, limit: number, from: string, after: string): Promise<ClosingDay[]> =>
  sql<ClosingDay[]>`
    select to_char(date, 'YYYY-MM-DD') as date, note from closing_day
    where date >= ${from}::text::date and date > ${after}::text::date order by closing_day.date limit ${limit}`

export async function closingDay(sql: Sql, date: string): Promise<ClosingDay | undefined> {
  const [row] = await sql<ClosingDay[]>`
    select to_char(date, 'YYYY-MM-DD') as date, note from closing_day where date = ${date}::text::date`
  return row
}

/** @returns whether the day is new. */
export async function writeClosingDay(sql: Sql, { date, note }: ClosingDay): Promise<boolean> {
  const [row] = await sql<{ created: boolean }[]>`
    insert into closing_day (date, note) values (${date}::text::date, ${note})
    on conflict (date) do update set note = excluded.note
    returning xmax = 0 as created`
  return row!.created
}

/** @returns whether there was such a day. */
export async function deleteClosingDay(sql: Sql, date: string): Promise<boolean> {
  const { count } = await sql`delete from closing_day where date = ${date}::text::date`
  return count > 0
}

/** Eleven years without an open day: no deadline is as late. */
const datesMax = 4_000

/** Also of the past days on which open time is counted, in any time zone. */
async function closedDates(sql: Sql): Promise<Set<string>> {
  const rows = await sql<{ date: string }[]>`
    select to_char(date, 'YYYY-MM-DD') as date from closing_day
    where date >= current_date - ${countedDaysMax + 1}::int order by closing_day.date limit ${datesMax}`
  return new Set(rows.map((row) => row.date))
}

/** How long a closing day that was added or deleted may go unnoticed. */
export const reloadEveryMs = 60_000

/**
 * The library's calendar in memory, so that a batch of commands does not wait for Postgres. A closing day applies to
 * deadlines that are set after the next reload; those that are already set stay as they are.
 */
export class CalendarCache {
  readonly #sql: Sql
  readonly #now: () => number
  #calendar: Calendar
  #reloadAt = 0

  private constructor(sql: Sql, hours: Omit<Calendar, 'closedDates'>, now: () => number) {
    this.#sql = sql
    this.#now = now
    this.#calendar = { ...hours, closedDates: new Set() }
  }

  /** @param now a monotonic clock in milliseconds. @throws when Postgres does not answer. */
  static async open(
    sql: Sql,
    hours: Omit<Calendar, 'closedDates'>,
    now: () => number = () => performance.now(),
  ): Promise<CalendarCache> {
    const cache = new CalendarCache(sql, hours, now)
    await cache.#load()
    return cache
  }

  /** Never changes, so that all deadlines of a batch follow one calendar. */
  get calendar(): Calendar {
    return this.#calendar
  }

  /** Reloads once a minute at most. @throws when Postgres does not answer; the calendar stays as it is. */
  async reload(): Promise<void> {
    if (this.#now() >= this.#reloadAt) await this.#load()
  }

  async #load(): Promise<void> {
    const dates = await closedDates(this.#sql)
    this.#calendar = { ...this.#calendar, closedDates: dates }
    this.#reloadAt = this.#now() + reloadEveryMs
  }
}
