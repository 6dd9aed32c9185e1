/**
 * Interprets the status of an HTTP answer, for receivers that report nothing more specific.
 * Sources: RFC 9110, sections 10.2.3 and 15; RFC 6585, section 4; RFC 8470, section 5.2.
 */
import { maskText } from '../../../platform/mask.ts'
import type { Tried } from './breaker.ts'
import type { Answer } from './caller.ts'

const longestMs = 24 * 60 * 60 * 1_000
/** Client errors that mean "later": request timeout, too early, too many requests. */
const later = new Set([408, 425, 429])
/** Permanent redirects. They are not followed. */
const movedForGood = new Set([301, 308])

/**
 * A server error may be temporary. A client error is permanent: the same call would get it again.
 * @param who the receiver, in words for the operator.
 * @param detail what the answer says beyond its status.
 */
export function judge({ status, headers }: Answer, who: string, detail = ''): Tried {
  const all = detail === '' ? String(status) : `${status} ${detail}`
  const answer = `HTTP ${all}`
  if (status >= 200 && status < 300) return { outcome: { type: 'sent', answer } }
  const error = `${who} answered ${all}`
  const final = (status >= 400 && status < 500 && !later.has(status)) || movedForGood.has(status)
  if (final) return { outcome: { type: 'failed', error, answer } }
  const afterMs = retryAfterMs(headers['retry-after'], headers.date)
  return { outcome: { type: 'retry', error, answer, afterMs }, down: status >= 500 }
}

/**
 * @param header seconds, or a date in any of HTTP's three formats.
 * @param date the receiver's own time of the answer. Without it a date is ignored, because our clock may differ.
 * @returns milliseconds, a day at most.
 */
export function retryAfterMs(header: string | undefined, date: string | undefined): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, longestMs)
  const ms = instantOf(text) - instantOf(date?.trim() ?? '')
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestMs)
}

/** @returns milliseconds since the epoch; NaN for anything but an HTTP date. */
function instantOf(text: string): number {
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return Number.NaN
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
}

/** @returns an error code such as `invalid_payload`; an empty string for anything else, such as a token. */
export const wordIn = (value: unknown): string =>
  typeof value === 'string' && /^[A-Za-z_]{1,60}$/.test(value) ? value : ''

/** @returns an empty object for anything but a JSON object. */
export function jsonOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** @returns a receiver's answer in one line that is safe to show: without URLs, addresses masked. */
export function shown(answer: string): string {
  const line = beginningOf(answer)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  return maskText(line.replaceAll(/\b[a-z][a-z0-9+.-]{0,30}:\/\/\S+/gi, '[URL]'))
    .slice(0, shownMax)
    .toWellFormed()
}
const shownMax = 200
/** The part that is searched: enough for the line, however many blanks it contains. */
const readMax = 2_000

/** Drops a last word that may be cut, because half an address would not be recognized and masked. */
function beginningOf(answer: string): string {
  if (answer.length <= readMax) return answer
  let end = readMax
  while (end > shownMax && !/\s/.test(answer[end - 1]!)) end -= 1
  return answer.slice(0, end > shownMax ? end : readMax)
}
