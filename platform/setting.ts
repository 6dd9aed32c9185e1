/** Schemas for kinds of settings. An error message never repeats the value. */
import { z } from 'zod'
import { isWebhookUrl } from './addresses.ts'

export const integer = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`
  return z.coerce.number(message).int(message).min(min, message).max(max, message)
}
/** A URL of anything but a store. */
export const url = (protocols: string[], example: string) =>
  z
    .string(`is not set: it must be a URL like ${example}`)
    .refine(
      (text) => isUrl(text, protocols),
      `must be a URL like ${example}; in a user or password write %23 for #, %2F for /, %3F for ?, %40 for @ and %25 for %`,
    )
/** A URL that paths are appended to. @returns it without the slash at its end. */
export const baseUrl = (example: string) =>
  z
    .string()
    .refine((text) => isBaseUrl(text), `must be a URL like ${example}, without credentials or a query`)
    .transform((text) => text.replace(/\/$/, ''))
/** Origins of web pages, as browsers send them. */
export const origins = () =>
  z
    .string()
    .transform((text) => text.split(',').map((it) => it.trim()))
    .refine(
      (list) => list.every((it) => /^https?:/.test(it) && URL.parse(it)?.origin === it),
      'must be origins like https://app.example,http://localhost:5173, in lower case and without a path',
    )
/** A URL that is posted to. */
export const webhookUrl = (example: string) =>
  z.string().refine(isWebhookUrl, `must be a URL like ${example}, without credentials`)
/** @param parse returns undefined for what it refuses. */
export const parsed = (parse: (text: string) => string | undefined, message: string) =>
  z
    .string()
    .transform((text) => parse(text))
    .pipe(z.string(message))
export const oneOf = <const Value extends string>(...values: Value[]) =>
  z.enum(values, `must be one of ${values.join(', ')}`)

export const flag = () =>
  z
    .string()
    .toLowerCase()
    .pipe(oneOf('true', 'false'))
    .transform((text) => text === 'true')

function isUrl(text: string, protocols: string[]): boolean {
  const url = URL.parse(text)
  // An unescaped # would cut a password off.
  if (url === null || !protocols.includes(url.protocol.slice(0, -1)) || text.includes('#')) return false
  return url.hostname !== '' && isEscaped(url.username) && isEscaped(url.password)
}

function isBaseUrl(text: string): boolean {
  const url = isUrl(text, ['http', 'https']) && new URL(text)
  return url && !url.username && !url.password && !text.includes('?')
}

export function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Values by name, as in `name=value,name=value`. */
export const pairs = <Value extends z.ZodType>(name: RegExp, value: Value, message: string) =>
  z
    .string()
    .transform((text): unknown => Object.fromEntries(text.split(',').map(splitPair)))
    .pipe(z.record(z.string().regex(name, message), value, message))
    .optional()

function splitPair(text: string): [string, string] {
  const [name, ...value] = text.split('=')
  return [name!.trim(), value.join('=').trim()]
}

type Context = { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void }

/** Reports every setting of `needed` that is not set, if one of `given` is. */
export function needs<Settings extends object>(
  settings: Settings,
  context: Context,
  given: readonly (keyof Settings & string)[],
  needed: readonly (keyof Settings & string)[],
): void {
  const first = given.find((name) => settings[name] !== undefined)
  if (first === undefined) return
  for (const name of needed.filter((it) => settings[it] === undefined))
    context.addIssue({ code: 'custom', path: [name], message: `is not set, but ${first} needs it` })
}
