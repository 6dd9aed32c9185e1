/**
 * Time of day in a time zone. A wall is what clocks there show, as milliseconds since the epoch as if the zone were UTC: so
 * days before and after are 24 hours apart, also where clocks are changed between them.
 */

const dayMs = 24 * 60 * 60 * 1_000
const formats = new Map<string, Intl.DateTimeFormat>()

/** @param timeZone IANA. */
export function wallOf(instant: Date, timeZone: string): number {
  let format = formats.get(timeZone)
  if (!format) {
    const [numeric, hourCycle] = ['numeric', 'h23'] as const
    const day = { year: numeric, month: numeric, day: numeric }
    const time = { hour: numeric, minute: numeric, second: numeric, hourCycle }
    format = new Intl.DateTimeFormat('en-US', { ...day, ...time, timeZone })
    formats.set(timeZone, format)
  }
  const parts = format.formatToParts(instant)
  const part = (name: string) => Number(parts.find((it) => it.type === name)!.value)
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
}

/**
 * @returns when clocks show this. The earlier time, if they show it twice; if they skip it, as much later as they are set
 *   forward.
 */
export function instantOf(wall: number, timeZone: string): Date {
  const offsetAt = (at: number) => wallOf(new Date(at), timeZone) - at
  const [before, after] = [wall - offsetAt(wall - dayMs), wall - offsetAt(wall + dayMs)]
  const shown = [before, after].find((it) => wallOf(new Date(it), timeZone) === wall)
  return new Date(shown ?? before)
}

/** The same time of day on the day before, to the second. */
export const dayBefore = (instant: Date, timeZone: string): Date =>
  instantOf(wallOf(instant, timeZone) - dayMs, timeZone)
