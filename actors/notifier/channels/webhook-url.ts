/** The rule for customers' webhooks, checked when one is stored and at each call. */
import { isIP } from 'node:net'
import { urlFault } from '../../../platform/addresses.ts'
import { isPublicAddress } from './public-address.ts'

export const notPublic = 'its address is not public'

/** Names that are never public, whatever they resolve to. */
const localName = /(?:^|\.)(?:localhost|local|internal)\.?$/

/**
 * @returns why the webhook cannot be called, judging by the URL alone. The address of a name is known only at the call.
 * @param allowPrivate also allows http and private addresses.
 */
export function webhookFault(url: URL, allowPrivate: boolean): string | undefined {
  const fault = urlFault(url)
  if (fault !== undefined || allowPrivate) return fault
  if (url.protocol !== 'https:') return 'its URL is not https'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host)) return isPublicAddress(host) ? undefined : notPublic
  return host.includes('.') && !localName.test(host) ? undefined : notPublic
}

/** @returns the URL in ASCII, as it is stored; undefined if it must not be called. */
export function parseWebhook(text: string, allowPrivate: boolean): string | undefined {
  if (/[\s\p{Cc}]/u.test(text) || !text.isWellFormed()) return undefined
  const url = URL.parse(text)
  if (!url || webhookFault(url, allowPrivate) !== undefined) return undefined
  return /^[\x21-\x7e]+$/.test(text) ? text : url.href
}
