/**
 * The rules for addresses: what is taken from a customer or from the configuration is what delivery can use. An address
 * that no channel would ever reach is refused when it is given, never with each notice.
 *
 * Lengths are checked before any pattern.
 */
const emailLengthMax = 254
const localLengthMax = 64
const phoneLengthMax = 40

const local = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_'+.-]*[A-Za-z0-9_+-]$/
const host = /^(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/i
/** Nothing that a URL parser would read as more than a host. */
const letters = /^[\p{L}\p{M}\p{N}.\u3002\uff0e\uff61-]+$/u

/** @returns a domain as it goes into headers, envelopes and look-ups: `한국.kr` becomes `xn--3e0b707e.kr`. */
export function asciiDomain(domain: string): string | undefined {
  if (domain.length > emailLengthMax || !letters.test(domain)) return undefined
  if (/^[\x21-\x7e]+$/.test(domain)) return domain
  return URL.parse(`http://${domain}/`)?.hostname
}

/**
 * @returns an e-mail address with its domain in ASCII. What stands before the @ must be ASCII: only servers with SMTPUTF8
 * take anything else, and few have it.
 */
export function parseEmail(text: string): string | undefined {
  if (text.length > emailLengthMax) return undefined
  const at = text.lastIndexOf('@')
  const domain = asciiDomain(text.slice(at + 1))
  const before = text.slice(0, Math.max(0, at))
  if (domain === undefined || before.length > localLengthMax || !local.test(before) || !host.test(domain))
    return undefined
  const email = `${before}@${domain}`
  return email.length > emailLengthMax ? undefined : email
}

export const emailRule = 'must be an e-mail address, with ASCII before the @'

/** A sender: `Name <address>`, or the address alone. The domain needs no dot: a sender may be a machine. */
export function parseSender(text: string): { name: string; local: string; domain: string } | undefined {
  if (text.length > 2 * emailLengthMax || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return undefined
  const [, name = '', bracketed, bare] = /^(?:([^<>]*)<([^<>]*)>|([^<>]*))$/.exec(text.trim()) ?? []
  const address = (bracketed ?? bare ?? '').trim()
  const at = address.lastIndexOf('@')
  const before = address.slice(0, Math.max(0, at))
  const domain = asciiDomain(address.slice(at + 1))
  if (domain === undefined || before.length > localLengthMax || !local.test(before)) return undefined
  return { name: name.trim().replace(/^"(.*)"$/, '$1'), local: before, domain }
}

/** As people write numbers: with blanks, dots, dashes and brackets. */
const separators = /[\s./()\p{Pd}]/gu

/**
 * The only numbers that the provider of text messages reaches are Korean ones.
 * @param phone with its country, also with the 0 that is dialled within it (`+82 010-…`, `+82 (0)10-…`), or as it is
 *   dialled in Korea.
 * @returns the digits as they are dialled there.
 */
export function dialledInKorea(phone: string): string | undefined {
  if (phone.length > phoneLengthMax) return undefined
  const digits = phone.normalize('NFKC').replaceAll(separators, '')
  const dialled = digits.replace(/^\+820?(?=[1-9])/, '0')
  return /^0[1-9]\d{7,9}$/.test(dialled) ? dialled : undefined
}

/** @returns a phone number that is written with its country, as E.164. */
export function parsePhone(text: string): string | undefined {
  if (!/^\s{0,10}[+\uff0b]/.test(text)) return undefined
  const dialled = dialledInKorea(text)
  return dialled && `+82${dialled.slice(1)}`
}

export const phoneRule = 'must be a Korean phone number with its country, like +82 10-1234-5678'

/** @returns why no webhook can be called at this URL, whoever gave it. */
export function urlFault({ protocol, hostname, port, username, password }: URL): string | undefined {
  if (protocol !== 'https:' && protocol !== 'http:') return 'its URL is neither http nor https'
  if (hostname === '' || port === '0') return 'its URL names no server'
  if (username !== '' || password !== '') return 'its URL carries credentials'
}

/** Whether operators may name this as the URL of a webhook. */
export function isWebhookUrl(text: string): boolean {
  // A parser takes the first word of `https:///path` for the host.
  const url = /^https?:\/\/[^/\\]/i.test(text) ? URL.parse(text) : null
  return url !== null && urlFault(url) === undefined
}
