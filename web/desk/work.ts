/**
 * The pages on which staff work: a field that takes scans and has the focus, one answer to each, and the work below.
 *
 * A scanner types and presses Enter. With scripts, htmx exchanges the field, the answer and the work in place; without them, the
 * browser loads the same page. Either way the next scan finds an empty field with the focus. When a scan leaves one thing to do, Enter
 * in the empty field does it; a further scan instead is only looked up, so that nothing is done to a copy by mistake.
 */
import { z } from 'zod'
import type { ServiceName } from '../../platform/config.ts'
import { withQuery } from '../address.ts'
import { hiddenFields, keyField } from '../form.ts'
import { type Html, html } from '../html.ts'
import { missingOf, type Part } from '../part.ts'
import type { Reply, Visit } from '../visit.ts'
import type { Role } from '../who.ts'

/** Those who may open these pages. */
export const staff: readonly Role[] = ['stock-manager']

/** The outcome of the last scan or button. It is read aloud, and can be read from two meters. */
export type Answer = { tone: 'good' | 'warm' | 'bad'; text: string; more?: Html | '' }

export type Work = {
  /** Of the page. The field leads back to it. */
  path: string
  title: string
  /** Of the field. */
  label: string
  help: string
  /** Sent with each scan. */
  hidden?: Record<string, string | undefined>
  answer?: Answer | undefined
  /** The form that Enter sends from the empty field. */
  next?: { action: string; fields: Record<string, string | undefined> } | undefined
  /** Whether the focus is in the work instead of the field. */
  isFocusBelow?: boolean
  content: Html
  parts?: Part<unknown>[]
  missing?: ServiceName[]
}

/** The element stays, so that of two requests each finds the place of its answer. */
const boost = [
  'target:"#work"',
  'select:"#work > *"',
  'swap:"innerHTML show:none"',
  'selectOOB:"#scan,#answer:innerHTML,#notices"',
].join(' ')

/** Attributes of every form here: its answer is exchanged in place, after those to earlier requests. */
export const inPlace = (): Html => html` hx-boost="${boost}" hx-sync="#answer:queue all"`

export function showWork(visit: Visit, work: Work, status: 200 | 409 | 422 | 503 = 200): Reply {
  const { title, answer, content, parts = [], missing = missingOf(parts) } = work
  // The form can be sent again as it is, with all that was entered.
  if (status === 422 || status === 503) visit.c.header('HX-Reswap', 'none')
  const main = html`<h1>${title}</h1>
${scanForm(visit, work)}
<div id="answer" role="status">${answer ? said(answer) : ''}</div>
<div id="work">${content}</div>`
  // Without scripts, the title is the first that is read aloud.
  return visit.show({ title: answer ? `${answer.text} · ${title}` : title, main, missing }, status)
}

/** A scan in a form with an effect: it is looked up instead. */
export const scanSchema = z.object({ scan: z.string().trim().max(200).default('') })

/** @returns the address at which a scan is looked up. */
export const lookUpAt = (
  path: string,
  scan: string,
  hidden: Record<string, string | undefined> = {},
): string => withQuery(path, { scan, ...hidden })

function scanForm({ words }: Visit, { path, label, help, hidden = {}, next, isFocusBelow }: Work): Html {
  const form = next
    ? html`<form id="scan" method="post" action="${next.action}" class="scan"${inPlace()}>`
    : html`<form id="scan" action="${path}" class="scan"${inPlace()}>`
  return html`${form}
<div><label for="scanned">${label}</label>
<input id="scanned" name="scan" maxlength="200" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="go" aria-describedby="scan-help"${
    isFocusBelow ? '' : html` autofocus`
  }></div>
<button>${words.work.open}</button>
<small id="scan-help">${help}</small>
${next ? html`${keyField()}${hiddenFields(next.fields)}` : hiddenFields(hidden)}
</form>`
}

const said = ({ tone, text, more }: Answer): Html =>
  html`<div class="answer ${tone}"><p>${text}</p>${more ? html`<p>${more}</p>` : ''}</div>`
