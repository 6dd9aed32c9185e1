/** What a language brings: the words of a notice. */
import type { Subject } from '../notice.ts'

export type Wording = {
  /** One line. */
  title: string
  /** Paragraphs. */
  body: string[]
  /** Labels of the facts that stand below. */
  labels: { bookid: string; reservationid: string; userid: string }
}

export type Language = {
  /** BCP 47. */
  code: string
  words(subject: Subject): Wording
}
