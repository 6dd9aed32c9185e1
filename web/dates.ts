/** Times as people read them: in the library's time zone, with the weekday, and with the year unless it is this one. */
import { type Html, html } from './html.ts'
import type { Locale } from './words/words.ts'

export type Dates = {
  /** Such as Thursday, December 3 at 18:00. */
  at(instant: string): Html
  /** Such as Thu, Dec 3, 2026, 18:00. */
  happened(instant: string): Html
  /** Such as Thu, Dec 3 at 18:00: for tables. */
  short(instant: string): Html
  /** Such as Thursday, December 3. */
  day(instant: string): Html
  /** Such as Thu, Dec 3: for tables. */
  shortDay(instant: string): Html
}

const known = new Map<string, Dates>()

export function datesOf(locale: Locale, timeZone: string): Dates {
  const key = `${locale} ${timeZone}`
  const dates = known.get(key) ?? create(locale, timeZone)
  known.set(key, dates)
  return dates
}

function create(locale: Locale, timeZone: string): Dates {
  const formatOf = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone, hourCycle: 'h23', ...options })
  const years = formatOf({ year: 'numeric' })
  const written = (options: Intl.DateTimeFormatOptions) => {
    const [short, long] = [formatOf(options), formatOf({ ...options, year: 'numeric' })]
    return (instant: string): Html => {
      const at = new Date(instant)
      const format = years.format(at) === years.format(new Date()) ? short : long
      return html`<time datetime="${instant}">${format.format(at)}</time>`
    }
  }
  const day = { weekday: 'long', month: 'long', day: 'numeric' } as const
  const shortDay = { weekday: 'short', month: 'short', day: 'numeric' } as const
  return {
    at: written({ ...day, hour: '2-digit', minute: '2-digit' }),
    happened: written({
      weekday: 'short',
      year: 'numeric',
      month: 'short',
      day: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
    }),
    short: written({ ...shortDay, hour: '2-digit', minute: '2-digit' }),
    day: written(day),
    shortDay: written(shortDay),
  }
}
