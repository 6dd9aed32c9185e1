/** Time of day in a time zone. */
import { Temporal } from 'temporal-polyfill'

const zoned = (instant: Date, timeZone: string) =>
  Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone)

/**
 * @param timeZone IANA.
 * @returns what clocks there show, as milliseconds since the epoch as if the zone were UTC.
 */
export const wallOf = (instant: Date, timeZone: string): number =>
  zoned(instant, timeZone).toPlainDateTime().toZonedDateTime('UTC').epochMilliseconds

/**
 * The same time of day on the day before. The earlier time, if clocks show it twice; if they skip it, as much later as they are
 * set forward.
 */
export const dayBefore = (instant: Date, timeZone: string): Date =>
  new Date(zoned(instant, timeZone).subtract({ days: 1 }).epochMilliseconds)
