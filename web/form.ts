/** Pieces of forms. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { Html } from './html.ts'
import type { Words } from './words/words.ts'

/**
 * Names the form that was shown: it becomes the `Idempotency-Key` of the call. So a double click, a reload and the back button
 * have one effect.
 */
export const keyField = (): Html => html`<input type="hidden" name="key" value="${crypto.randomUUID()}">`

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
