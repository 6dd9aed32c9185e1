/** The words of a notice in one language. Templates write plain text; `message.ts` turns it into HTML. */
import type {
  Alert,
  AlertDetails,
  FailureDetails,
  ReservationDetails,
  Subject,
  WordedKind,
} from '../plan/notice.ts'

/** A subject that is safe to show, and what its details say in the reader's language. */
export type Shown = Subject & {
  /** Of a book with rules, whose reservations go on after they have succeeded. */
  hasRules: boolean
  position: number | null
  /** The deadline to collect the copy. */
  until: string | null
  cause: ReservationDetails['cause'] | null
  note: string | null
  /** How many people wait for the book. */
  waiting: number
}

/** Shown below the body. Left out without a value. */
export type Fact = [label: string, value: string | null]

export type Wording = {
  /** One line. */
  title: string
  /** Paragraphs. */
  body: string[]
  /** Fits an SMS if the title and the ids are short: 90 bytes, where a Korean letter counts two. */
  short: string
  /** In place of those of the language (`factsOf`). */
  facts?: Fact[]
}

export type Language = {
  /** BCP 47. */
  code: string
  /** In place of the title where neither it nor an id can be shown. */
  someBook: string
  factsOf(subject: Shown): Fact[]
  /**
   * @param wall what clocks in the library show (`local-time.ts`).
   * @param year whether the year belongs to it.
   */
  instant(wall: Date, year: boolean): string
  templates: Record<WordedKind, (subject: Shown) => Wording>
}

/** @throws {TypeError} when the notice is about no alert. */
export function alertOf({ kind, details }: Subject): AlertDetails {
  if (details?.type === 'alerts') return details
  throw new TypeError(`Cannot write a notice of kind ${kind}: it is about no alert`)
}

/** @throws {TypeError} when the notice is about no failed delivery. */
export function failureOf({ kind, details }: Subject): FailureDetails {
  if (details?.type === 'failure') return details
  throw new TypeError(`Cannot write a notice of kind ${kind}: it is about no failed delivery`)
}

export const timeOfDay = (wall: Date): string => wall.toISOString().slice(11, 16)

const nameOf = ({ labels }: Alert) => labels.alertname ?? 'alert'

/** The alert's name and its rule's summary, in one line. */
export function describeAlert(alert: Alert): string {
  const summary = alert.annotations.summary ?? alert.annotations.description
  return summary ? `${nameOf(alert)}: ${summary}` : nameOf(alert)
}

export const countByStatus = (alerts: Alert[]) => ({
  firing: alerts.filter((it) => it.status === 'firing').length,
  resolved: alerts.filter((it) => it.status === 'resolved').length,
})

export const listNames = (alerts: Alert[]): string => [...new Set(alerts.map(nameOf))].join(', ')
