/**
 * Masks people's addresses in logs and in messages to operators. Enough remains to distinguish them:
 * `r***@example.com`, `010****5678`.
 *
 * K1. The time is linear in the length of the text.
 * K2. A line of JSON stays JSON: an escape, such as `\n` in front of an address, is never cut in two.
 */
export function maskText(text: string): string {
  return maskEmails(text).replace(phones, maskPhone)
}

/** Masks everything after the host of a URL, because in a chat webhook it is the secret: `https://chat.example/***`. */
export function maskUrl(text: string): string {
  const { protocol, host, pathname, search, hash } = new URL(text)
  return pathname + search + hash === '/' ? text : `${protocol}//${host}/${hidden}`
}
const hidden = '***'

/** Whether the text is a URL as `maskUrl` returns it. */
export const isMaskedUrl = (text: string): boolean => URL.parse(text)?.pathname === `/${hidden}`

/** A domain after the @. It needs a dot, so that `user@host` does not match. */
const domainAt = /(?:[\p{L}\p{N}\p{M}-]{1,63}\.){1,20}\p{L}{2,63}/uy
/** Characters allowed before the @, including surrogate halves. */
const isLocal = /[\p{L}\p{N}\p{M}\p{So}\p{Cs}.!#$%&'*+/=?^_`{|}~-]/u
const isLetter = /[\p{L}\p{N}]/u

function maskEmails(text: string): string {
  let masked = ''
  let done = 0
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    domainAt.lastIndex = at + 1
    if (!domainAt.test(text)) continue
    // Stops at the previous @, which is no local character: K1.
    let from = at
    while (from > done && isLocal.test(text[from - 1]!)) from -= 1
    from += escapedLength(text, from)
    while (from < at && !isLetter.test(letterAt(text, from))) from += letterAt(text, from).length
    if (from >= at) continue
    masked += `${text.slice(done, from)}${letterAt(text, from)}***`
    done = at
  }
  return done === 0 ? text : masked + text.slice(done)
}

const letterAt = (text: string, index: number): string => String.fromCodePoint(text.codePointAt(index)!)

/** @returns how many characters at `from` belong to an escape that begins before them. */
function escapedLength(text: string, from: number): number {
  let backslashes = 0
  while (text[from - 1 - backslashes] === '\\') backslashes += 1
  if (backslashes % 2 === 0) return 0
  return text[from] === 'u' ? 5 : 1
}

/**
 * Korean mobile numbers, and any number with a plus. The characters before and after are checked, so that a part of a
 * UUID or of a longer number never matches; a JSON escape may come before.
 */
const phones =
  /(?<=^|\\[bfnrt]|\\u[\da-f]{4}|[^\w.+-])(?:\+[1-9]\d{7,14}|01[016789]-?\d{3,4}-?\d{4})(?![\w-])/gi

/** Keeps the first three and the last four digits. */
function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '').length
  let seen = 0
  return phone.replace(/\d/g, (digit) => {
    seen += 1
    return seen <= 3 || seen > digits - 4 ? digit : '*'
  })
}
