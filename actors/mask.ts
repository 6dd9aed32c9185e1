/**
 * Hides people's addresses in what goes to logs and to operators. Enough is left to tell one from another:
 * `r***@example.com`, `010****5678`.
 */
export function maskText(text: string): string {
  const masked = text.includes('@') ? text.replace(emails, '$1***@$2') : text
  return masked.replace(phones, maskPhone)
}

/**
 * Hides what follows the host of a URL: for chat servers it is the password, which whoever has it can write with.
 * `https://chat.example/***`. Where nothing follows there is nothing to hide.
 */
export function maskUrl(text: string): string {
  const { protocol, host, pathname, search, hash } = new URL(text)
  return pathname + search + hash === '/' ? text : `${protocol}//${host}/${hidden}`
}
const hidden = '***'

/** Whether it is but what was shown of a URL. */
export const isMaskedUrl = (text: string): boolean => URL.parse(text)?.pathname === `/${hidden}`

/** Bounded, so that no long word costs more than its length. */
const emails =
  /([\p{L}\p{N}])[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]{0,63}@((?:[\p{L}\p{N}-]{1,63}\.)+\p{L}{2,63})/gu

/**
 * Korean mobile numbers, and those of any country with a plus. What stands before and after is looked at, so that a part
 * of a UUID or of a longer number is never taken for one; before it may stand a line break as JSON writes it.
 */
const phones = /(?<=^|\\[nrt]|[^\w.+-])(?:\+[1-9]\d{7,14}|01[016789]-?\d{3,4}-?\d{4})(?![\w-])/g

/** Three digits in front stay, and four behind. */
const maskPhone = (phone: string): string => phone.replace(/(?<=^\+?\d{3}.*)\d(?=(?:-?\d){4})/g, '*')
