/**
 * How long a copy waits on the hold shelf: until closing time of an open day, in the library's time zone. And how long the library
 * has been open since an instant.
 *
 * The customer always gets the longer time. If the clocks are set back and show the closing time twice, the second time
 * counts. If they are set forward past it, the deadline moves by as much as the clocks.
 */
import { Temporal } from 'temporal-polyfill'

/** When a library is open. */
export type Calendar = {
  /** IANA name, such as `Asia/Seoul`. */
  timeZone: string
  /** `HH:MM`. */
  closingTime: string
  /** Days of the week that the library never opens on: 1 is Monday, 7 is Sunday. At most six. */
  closedWeekdays: readonly number[]
  /** Further days that it is closed on, as `YYYY-MM-DD`. */
  closedDates: ReadonlySet<string>
}

/**
 * @param pickupDays from 1.
 * @returns closing time of the `pickupDays`-th open day after today, whatever the time is today.
 * @throws if every day of the week is closed.
 */
export function deadlineOf(now: Date, pickupDays: number, calendar: Calendar): Date {
  let day = Temporal.Instant.fromEpochMilliseconds(now.getTime())
    .toZonedDateTimeISO(calendar.timeZone)
    .toPlainDate()
  // Of seven days in a row at least one is open, unless its date is closed.
  const daysMax = 7 * (pickupDays + calendar.closedDates.size + 1)
  for (let days = 0, openDays = 0; days < daysMax; days++) {
    day = day.add({ days: 1 })
    if (isOpen(day, calendar)) openDays++
    else continue
    if (openDays < pickupDays) continue
    const closing = closingOf(day, calendar)
    // A zone that moves across the date line skips a day, and clocks may skip the hours from closing time to midnight.
    if (closing.toPlainDate().equals(day)) return new Date(closing.epochMilliseconds)
  }
  throw new Error(`Cannot set a deadline: no day is open within ${daysMax} days`)
}

const dayMs = 86_400_000
/** Of the days before, no closing day need be known. */
export const countedDaysMax = 31

/** @returns the time from `since` to `now` on days that the library is open, in the last `countedDaysMax` days, milliseconds. */
export function openMsBetween(since: Date, now: Date, calendar: Calendar): number {
  const end = now.getTime()
  let open = 0
  for (let at = Math.max(since.getTime(), end - countedDaysMax * dayMs); at < end; ) {
    const day = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(calendar.timeZone).toPlainDate()
    const nextDay = day.add({ days: 1 }).toZonedDateTime(calendar.timeZone).epochMilliseconds
    const next = Math.min(nextDay, end)
    if (isOpen(day, calendar)) open += next - at
    at = next
  }
  return open
}

const isOpen = (day: Temporal.PlainDate, { closedWeekdays, closedDates }: Calendar) =>
  !closedWeekdays.includes(day.dayOfWeek) && !closedDates.has(day.toString())

const closingOf = (day: Temporal.PlainDate, { closingTime, timeZone }: Calendar) =>
  day.toPlainDateTime(closingTime).toZonedDateTime(timeZone, { disambiguation: 'later' })
