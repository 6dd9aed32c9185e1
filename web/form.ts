/** Pieces of forms. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { type Html, html } from './html.ts'
import type { Words } from './words/words.ts'

/**
 * Names the form that was shown: it becomes the `Idempotency-Key` of the call. So a double click, a reload and the back button
 * have one effect.
 * @param seen the thing that the form changes, in the state that the page shows. Forms of the same state share their key, so in two tabs
 * they have one effect, too. Without it, each form has its own.
 */
export const keyField = (...seen: unknown[]): Html =>
  html`<input type="hidden" name="key" value="${seen.length === 0 ? crypto.randomUUID() : keyOf(...seen)}">`

/** @returns a version 8 UUID (RFC 9562), always the same for the same. */
export function keyOf(...seen: unknown[]): string {
  const hex = hash('sha256', JSON.stringify(seen))
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export const hiddenFields = (fields: Record<string, string | undefined>): Html =>
  html`${Object.entries(fields).map(([name, value]) =>
    value === undefined ? '' : html`<input type="hidden" name="${name}" value="${value}">`,
  )}`

/** Every form with an effect has it. */
export const keySchema = z.object({ key: z.uuid() })

type Field = {
  name: string
  label: string
  value?: string | undefined
  help?: string
  /** The reason why the value was refused. */
  fault?: string | undefined
  type?: string
  autocomplete?: string
  autofocus?: boolean
  required?: boolean
}

/** A line of text with its label. The first field with a fault gets the focus. */
export function textField(field: Field): Html {
  const { name, label, value = '', help, fault, type = 'text', autocomplete, autofocus, required } = field
  const described = [help && `${name}-help`, fault && `${name}-fault`].filter(Boolean).join(' ')
  return html`<label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="${type}" value="${value}"${autocomplete ? html` autocomplete="${autocomplete}"` : ''}${
    described ? html` aria-describedby="${described}"` : ''
  }${fault ? html` aria-invalid="true"` : ''}${autofocus ? html` autofocus` : ''}${required ? html` required` : ''}>
${help ? html`<small id="${name}-help">${help}</small>` : ''}
${fault ? html`<small id="${name}-fault" class="fault">${fault}</small>` : ''}`
}

/** All faults of a form, above it. It gets the focus, because it must be seen. */
export const faultsOf = (words: Words, faults: string[]): Html | '' =>
  faults.length === 0
    ? ''
    : html`<div class="notice" role="alert" tabindex="-1" autofocus><p>${words.errors.faults}</p>
<ul>${faults.map((it) => html`<li>${it}</li>`)}</ul></div>`
