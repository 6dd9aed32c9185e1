/**
 * The rules for addresses. An address that no channel can reach is refused when a customer or the configuration
 * provides it, not when a notice is sent.
 *
 * Lengths are checked before patterns.
 */
const emailLengthMax = 254
const localLengthMax = 64
const phoneLengthMax = 40

const local = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_'+.-]*[A-Za-z0-9_+-]$/
const host = /^(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/i
/** Excludes everything that a URL parser reads as more than a host. */
const letters = /^[\p{L}\p{M}\p{N}.\u3002\uff0e\uff61-]+$/u

/** @returns a domain as headers, envelopes and DNS queries need it: `한국.kr` becomes `xn--3e0b707e.kr`. */
function asciiDomain(domain: string): string | undefined {
  if (domain.length > emailLengthMax || !letters.test(domain)) return undefined
  if (/^[\x21-\x7e]+$/.test(domain)) return domain
  return URL.parse(`http://${domain}/`)?.hostname
}

/**
 * @returns an e-mail address with its domain in ASCII. The part before the @ must be ASCII: anything else needs
 * SMTPUTF8, which few servers support.
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

/** A sender: `Name <address>`, or the address alone. The domain needs no dot, because a sender may be a machine. */
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

/** People write numbers with blanks, dots, dashes and brackets. */
const separators = /[\s./()\p{Pd}]/gu

/**
 * The SMS provider reaches only Korean numbers.
 * @param phone with the country code, even if a 0 follows it (`+82 010-…`, `+82 (0)10-…`), or as dialled in Korea.
 * @returns the digits as dialled in Korea.
 */
export function dialledInKorea(phone: string): string | undefined {
  if (phone.length > phoneLengthMax) return undefined
  const digits = phone.normalize('NFKC').replaceAll(separators, '')
  const dialled = digits.replace(/^\+820?(?=[1-9])/, '0')
  return /^0[1-9]\d{7,9}$/.test(dialled) ? dialled : undefined
}

/** @returns a phone number with a country code, as E.164. */
export function parsePhone(text: string): string | undefined {
  if (!/^\s{0,10}[+\uff0b]/.test(text)) return undefined
  const dialled = dialledInKorea(text)
  return dialled && `+82${dialled.slice(1)}`
}

export const phoneRule = 'must be a Korean phone number with its country code, like +82 10-1234-5678'

/** @returns why no webhook can have this URL, or undefined. */
export function urlFault({ protocol, hostname, port, username, password }: URL): string | undefined {
  if (protocol !== 'https:' && protocol !== 'http:') return 'its URL is neither http nor https'
  if (hostname === '' || port === '0') return 'its URL names no server'
  if (username !== '' || password !== '') return 'its URL carries credentials'
}

/** Whether operators may configure this webhook URL. */
export function isWebhookUrl(text: string): boolean {
  // The URL parser reads the first segment of `https:///path` as the host.
  const url = /^https?:\/\/[^/\\]/i.test(text) ? URL.parse(text) : null
  return url !== null && urlFault(url) === undefined
}
