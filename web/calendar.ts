/** A calendar file (iCalendar) with the day until which a copy can be collected. Source: RFC 5545 */

type Pickup = { id: string; name: string; summary: string; until: Date; changed: Date }

/** The reminder comes a day before. */
export function pickupFile({ id, name, summary, until, changed }: Pickup): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//bookreservation//pages//EN',
    `X-WR-CALNAME:${escaped(name)}`,
    'BEGIN:VEVENT',
    `UID:${id}@bookreservation`,
    `DTSTAMP:${instant(changed)}`,
    `DTSTART:${instant(until)}`,
    `DTEND:${instant(until)}`,
    `SUMMARY:${escaped(summary)}`,
    'BEGIN:VALARM',
    'ACTION:DISPLAY',
    `DESCRIPTION:${escaped(summary)}`,
    'TRIGGER:-P1D',
    'END:VALARM',
    'END:VEVENT',
    'END:VCALENDAR',
  ]
  return lines.map((it) => `${folded(it)}\r\n`).join('')
}

const instant = (date: Date): string => date.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')

const escaped = (text: string): string =>
  text.replaceAll(/[\\;,]/g, (it) => `\\${it}`).replaceAll(/\r\n|\r|\n/g, '\\n')

/** A line has at most 75 bytes; a character is never split. */
function folded(line: string): string {
  let result = ''
  let bytes = 0
  for (const character of line) {
    const length = Buffer.byteLength(character)
    if (bytes + length > 75) {
      result += '\r\n '
      bytes = 1
    }
    result += character
    bytes += length
  }
  return result
}
