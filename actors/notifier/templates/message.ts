/** A notice in words, for people: in the customer's language, as text and as HTML. */
import type { Subject } from '../notice.ts'
import { english } from './en.ts'
import { html } from './html.ts'
import { korean } from './ko.ts'
import type { Language } from './language.ts'

export const defaultLocale = 'ko'
const languages: Language[] = [korean, english]

export type Message = { title: string; text: string; html: string }

/** @param locale BCP 47; a language that we do not speak gets English. */
export function writeMessage(subject: Subject, locale: string | null): Message {
  const { code, words } = languageOf(locale ?? defaultLocale)
  const { title, body, labels } = words(subject)
  const facts = (['bookid', 'reservationid', 'userid'] as const)
    .map((name) => [labels[name], subject[name]] as const)
    .filter((fact): fact is [string, string] => fact[1] !== null)
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
  return { title, text, html: page.markup }
}

function languageOf(locale: string): Language {
  const [code] = locale.toLowerCase().split('-')
  return languages.find((it) => it.code === code) ?? english
}
