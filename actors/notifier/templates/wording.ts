/** What a template brings: the words of a notice of one kind in one language. Plain text throughout; `message.ts` makes HTML. */
import type { AlertDetails, FailureDetails, Kind, Subject } from '../notice.ts'

export type Wording = {
  /** One line. */
  title: string
  /** Paragraphs. */
  body: string[]
  /** All of it in so few words that it fits an SMS, as long as ids are short: 90 bytes, of which a Korean letter takes two. */
  short: string
  /** What stands below, with a label. */
  facts: [label: string, value: string | null][]
}

export type Template = (subject: Subject) => Wording

export type Language = {
  /** BCP 47. */
  code: string
  templates: Record<Kind, Template>
}

/** The details of an alert. @throws on a notice that is about none. */
export function alertOf({ kind, details }: Subject): AlertDetails {
  if (details?.type === 'alerts') return details
  throw new TypeError(`Cannot write a notice of kind ${kind}: it is about no alert`)
}

/** The details of a delivery that failed. @throws on a notice that is about none. */
export function failureOf({ kind, details }: Subject): FailureDetails {
  if (details?.type === 'failure') return details
  throw new TypeError(`Cannot write a notice of kind ${kind}: it is about no failed delivery`)
}
