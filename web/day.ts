/** Days of the calendar, in the library's time zone. */
import { Temporal } from 'temporal-polyfill'

/** @returns the day of an instant, as `YYYY-MM-DD`. */
export const dayOf = (instant: string, timeZone: string): string =>
  zoned(instant, timeZone).toPlainDate().toString()

/** @returns the instant on another day with the same time of day. */
export function movedTo(day: string, instant: string, timeZone: string): string {
  const { year, month, day: dayOfMonth } = Temporal.PlainDate.from(day)
  const moved = zoned(instant, timeZone).with({ year, month, day: dayOfMonth }, { disambiguation: 'later' })
  return moved.toInstant().toString()
}

/** @returns the last minute of a day. */
export const endOf = (day: string, timeZone: string): string =>
  Temporal.PlainDate.from(day)
    .toPlainDateTime('23:59')
    .toZonedDateTime(timeZone, { disambiguation: 'later' })
    .toInstant()
    .toString()

const zoned = (instant: string, timeZone: string) =>
  Temporal.Instant.from(instant).toZonedDateTimeISO(timeZone)
