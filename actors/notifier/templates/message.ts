/** Writes a notice in the reader's language: as text, as HTML, and as a short line. */
import { cut } from '../channels/cut.ts'
import { wallOf } from '../plan/local-time.ts'
import type { Subject, WordedKind } from '../plan/notice.ts'
import { english } from './en.ts'
import { html } from './html.ts'
import { inWords, noteInWords } from './in-words.ts'
import { korean } from './ko.ts'
import { bytesInSms, smsBytesMax } from './sms-length.ts'
import type { Language, Shown, Wording } from './wording.ts'

export const defaultLocale = 'ko'
const defaultTimeZone = 'Asia/Seoul'
export const languages: Language[] = [korean, english]

export type Message = {
  /** One line. */
  title: string
  text: string
  html: string
  /** One line that fits an SMS if the ids in it are short. A long title is cut. */
  short: string
}

/**
 * @param locale BCP 47. For languages without templates, the notice is in English.
 * @param timeZone of the library, IANA.
 */
export function writeMessage(
  subject: Subject,
  locale: string | null,
  timeZone: string = defaultTimeZone,
): Message {
  const language = languageOf(locale)
  const { code, templates, factsOf } = language
  const shown = shownIn(language, subject, timeZone)
  const template = templates[subject.kind as WordedKind]
  const wording = template(shown)
  const { body, facts: its = factsOf(shown) } = wording
  const title = oneLine(wording.title)
  const facts = its.filter((fact): fact is [string, string] => fact[1] !== null)
  const page = html`<!doctype html>
<html lang="${code}">
<head><meta charset="utf-8"><title>${title}</title></head>
<body>
${body.map((paragraph) => html`<p>${paragraph}</p>\n`)}
<dl>${facts.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>
</body>
</html>
`
  const text = [...body, '', ...facts.map(([label, value]) => `${label}: ${value}`), ''].join('\n')
  return { title, text, html: page.markup, short: fitted(wording, shown, template) }
}

/** Titles become headers, so a user's text must not break the line. */
const oneLine = (text: string) => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()

export function shownIn(language: Language, subject: Subject, timeZone: string): Shown {
  const { details, createdAt } = subject
  const its = details?.type === 'reservation' ? details : undefined
  return {
    ...inWords(subject),
    hasRules: its !== undefined,
    position: its?.position ?? null,
    until: its?.pickupBy ? deadline(language, its.pickupBy, timeZone, createdAt) : null,
    cause: its?.cause ?? null,
    note: its?.note ? noteInWords(its.note) : null,
    waiting: details?.type === 'purchase' ? details.waiting : 0,
  }
}

/** With its year, unless the notice is from that year. */
function deadline({ instant }: Language, pickupBy: string, timeZone: string, createdAt?: Date): string {
  const wall = (at: Date) => new Date(wallOf(at, timeZone))
  const until = wall(new Date(pickupBy))
  return instant(
    until,
    createdAt !== undefined && wall(createdAt).getUTCFullYear() !== until.getUTCFullYear(),
  )
}

/** @returns the short line, with as much of the title as fits an SMS. */
function fitted({ short }: Wording, shown: Shown, template: (subject: Shown) => Wording): string {
  const over = bytesInSms(oneLine(short)) - smsBytesMax
  if (over <= 0 || !shown.title) return oneLine(short)
  const title = cut(shown.title, bytesInSms(shown.title) - over, { weigh: bytesInSms })
  return oneLine(template({ ...shown, title }).short)
}

export function languageOf(locale: string | null): Language {
  const [code] = (locale ?? defaultLocale).toLowerCase().split('-')
  return languages.find((it) => it.code === code) ?? english
}
