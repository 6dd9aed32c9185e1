/** The rules of a book as a form. A field that is left empty follows the library's rule. */
import { z } from 'zod'
import type { Rules, Stock } from './apis/stock.ts'
import { type Html, html } from './html.ts'
import type { Visit } from './visit.ts'

const absent = z.literal('').transform(() => undefined)
const number = (min: number, max: number) =>
  z
    .string()
    .trim()
    .regex(/^\d{1,7}$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
/** 0 is how the form says: no limit. */
const limit = (max: number) => number(0, max).transform((it) => (it === 0 ? null : it))

/** As stock accepts them. */
export const ownRulesSchema = z.object({
  queueMax: absent.or(number(0, 1_000_000)),
  queuePerCopy: absent.or(limit(1_000)),
  waitDays: absent.or(limit(3_650)),
  pickupDays: absent.or(limit(365)),
  pullStep: absent.or(z.stringbool()),
  onePerBook: absent.or(z.stringbool()),
  lend: absent.or(z.stringbool()),
})

/** @param given what was sent, if it was not accepted. */
export function rulesFields(visit: Visit, stock: Stock, given: Record<string, string> | undefined): Html {
  const own = stock.ownRules === undefined ? stock.rules : stock.ownRules
  return html`${(Object.keys(ownRulesSchema.shape) as (keyof Rules)[]).map((name) => {
    const value = given ? (given[name] ?? '') : shown(own?.[name])
    // Of a rule that the book replaces, the library's is unknown here.
    const library = own?.[name] === undefined ? stock.rules?.[name] : undefined
    return field(visit, name, value, library)
  })}`
}

const shown = (value: number | boolean | null | undefined): string =>
  value === undefined ? '' : value === null ? '0' : String(value)

const isFlag = (name: keyof Rules) => name === 'pullStep' || name === 'onePerBook' || name === 'lend'

function field(
  { words }: Visit,
  name: keyof Rules,
  value: string,
  library: number | boolean | null | undefined,
): Html {
  const { rules } = words.stock
  const yesNo = (it: boolean) => (it ? words.yes : words.no)
  const inWords =
    library === undefined
      ? ''
      : library === null
        ? rules.unlimited
        : typeof library === 'boolean'
          ? yesNo(library)
          : words.number(library)
  const label = html`<label for="${name}">${rules.names[name]}</label>`
  const asLibrary = rules.asLibrary(inWords)
  if (!isFlag(name))
    return html`${label}<input id="${name}" name="${name}" inputmode="numeric" pattern="[0-9]{1,7}" value="${value}" aria-describedby="${name}-help">
<small id="${name}-help">${rules.empty(asLibrary)}${name === 'queueMax' ? '' : ` ${rules.zero}`}</small>`
  const option = (it: string, text: string) =>
    html`<option value="${it}"${it === value ? html` selected` : ''}>${text}</option>`
  return html`${label}<select id="${name}" name="${name}">${option('', asLibrary)}${option('true', words.yes)}${option('false', words.no)}</select>`
}
