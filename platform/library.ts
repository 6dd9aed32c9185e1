/** The settings of the library: its hours, and what its books allow. */
import { z } from 'zod'
import { flag, integer, oneOf } from './setting.ts'

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

const timeZone = () =>
  z.string().refine(isTimeZone, 'must be an IANA time zone, such as Asia/Seoul or America/New_York')

/** An offset such as `+09:00` is no zone: it does not know when clocks are set forward or back. */
function isTimeZone(text: string): boolean {
  try {
    return /^[a-z]/i.test(text) && new Intl.DateTimeFormat('en', { timeZone: text }) !== undefined
  } catch {
    return false
  }
}

/** @returns their numbers: 1 is Monday, 7 is Sunday. */
const closedWeekdays = () =>
  z
    .string()
    .toLowerCase()
    .transform((text) => (text === 'none' ? [] : text.split(',').map((it) => it.trim())))
    .transform((names) => [...new Set(names.map((name) => weekdays.indexOf(name) + 1))])
    .refine(
      (days) => !days.includes(0),
      `must be days among ${weekdays.join(', ')}, separated by commas; or none`,
    )
    .refine((days) => days.length < 7, 'must leave a day of the week on which the library is open')

const integerOrNone = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}, or none`
  const number = z.number(message).int(message).min(min, message).max(max, message)
  return z
    .string()
    .transform((text) => (text.toLowerCase() === 'none' ? null : Number(text)))
    .pipe(number.nullable())
}

export const librarySettings = {
  LIBRARY_TIMEZONE: timeZone()
    .default('Asia/Seoul')
    .describe('IANA time zone of the library: deadlines, and times in notices'),
  DEFAULT_LOCALE: oneOf('ko', 'en')
    .default('ko')
    .describe('Language of customers without a preference: `ko` or `en`'),
  CLOSING_TIME: z
    .string()
    .regex(/^(?!00:00)(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from 00:01 to 23:59, such as 18:00')
    .default('18:00')
    .describe('When the library closes. Deadlines end then'),
  CLOSED_WEEKDAYS: closedWeekdays()
    .prefault('mon')
    .describe(
      'Days of the week on which the library is closed: `mon,tue`, or `none`. No deadline ends on a closed day',
    ),
  PICKUP_GRACE_MS: integer(0, 86_400_000)
    .default(3_600_000)
    .describe('How long after its deadline a copy stays on the hold shelf'),
  RULES: oneOf('original', 'library', 'bookshop')
    .default('original')
    .describe(
      'Rules of the books that have none of their own: `original`, `library` or `bookshop`. Each setting below replaces one of them',
    ),
  QUEUE_MAX: integer(0, 1_000_000)
    .optional()
    .describe('How many reservations may wait for a book. 0: when no copy is available, they fail at once'),
  QUEUE_PER_COPY: integerOrNone(1, 1_000)
    .optional()
    .describe('How many may wait for each of its copies, or `none` for no such limit'),
  PICKUP_DAYS: integerOrNone(1, 365)
    .optional()
    .describe('Open days that customers have to collect a copy, or `none` for no deadline'),
  PULL_STEP: flag()
    .optional()
    .describe('`true`: staff say when a copy is on the hold shelf. `false`: it is there once it is reserved'),
  ONE_PER_BOOK: flag().optional().describe('`true`: one reservation of a book for each customer'),
  WAIT_DAYS: integerOrNone(1, 3_650)
    .optional()
    .describe('After how many days a reservation that waits fails, or `none` for never'),
  LEND: flag().optional().describe('`true`: copies that were handed over come back'),
  HISTORY_DAYS: integerOrNone(1, 3_650)
    .optional()
    .describe(
      'How long after its end a reservation names its customer, or `none` for good ([what is kept](privacy.md)). Default: `30` with `RULES=library`, otherwise `none`',
    ),
}

export const toLibrary = (it: z.infer<z.ZodObject<typeof librarySettings>>) => ({
  libraryTimezone: it.LIBRARY_TIMEZONE,
  defaultLocale: it.DEFAULT_LOCALE,
  closingTime: it.CLOSING_TIME,
  closedWeekdays: it.CLOSED_WEEKDAYS,
  pickupGraceMs: it.PICKUP_GRACE_MS,
  rulesPreset: it.RULES,
  /** Null: for good. */
  historyDays: it.HISTORY_DAYS === undefined ? (it.RULES === 'library' ? 30 : null) : it.HISTORY_DAYS,
  /** Those that are set. */
  rules: {
    queueMax: it.QUEUE_MAX,
    queuePerCopy: it.QUEUE_PER_COPY,
    pickupDays: it.PICKUP_DAYS,
    pullStep: it.PULL_STEP,
    onePerBook: it.ONE_PER_BOOK,
    waitDays: it.WAIT_DAYS,
    lend: it.LEND,
  },
})
