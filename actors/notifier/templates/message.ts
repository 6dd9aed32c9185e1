/** Writes a notice in the reader's language: as text, as HTML, and as a short line. */
import { cut } from '../channels/cut.ts'
import type { Subject } from '../plan/notice.ts'
import { english } from './en.ts'
import { html } from './html.ts'
import { inWords } from './in-words.ts'
import { korean } from './ko.ts'
import { bytesInSms, smsBytesMax } from './sms-length.ts'
import type { Language, Wording } from './wording.ts'

export const defaultLocale = 'ko'
export const languages: Language[] = [korean, english]

export type Message = {
  /** One line. */
  title: string
  text: string
  html: string
  /** One line that fits an SMS if the ids in it are short. A long title is cut. */
  short: string
}

/** @param locale BCP 47. For languages without templates, the notice is in English. */
export function writeMessage(subject: Subject, locale: string | null): Message {
  const { code, templates } = languageOf(locale ?? defaultLocale)
  const shown = inWords(subject)
  const template = templates[subject.kind]
  const wording = template(shown)
  const { body } = wording
  const title = oneLine(wording.title)
  const facts = wording.facts.filter((fact): fact is [string, string] => fact[1] !== null)
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

function fitted(
  { short }: Wording,
  shown: Subject,
  template: (subject: Subject) => Pick<Wording, 'short'>,
): string {
  const over = bytesInSms(oneLine(short)) - smsBytesMax
  if (over <= 0 || !shown.title) return oneLine(short)
  const title = cut(shown.title, bytesInSms(shown.title) - over, { weigh: bytesInSms })
  return oneLine(template({ ...shown, title }).short)
}

export function languageOf(locale: string): Language {
  const [code] = locale.toLowerCase().split('-')
  return languages.find((it) => it.code === code) ?? english
}
