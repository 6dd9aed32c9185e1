/**
 * What the status of an HTTP answer means for a notice, where its receiver says nothing more exact.
 * Sources: RFC 9110, sections 10.2.3 and 15; RFC 6585, section 4; RFC 8470, section 5.2.
 */
import { maskText } from '../../mask.ts'
import type { Answer } from './caller.ts'
import type { Tried } from './receiver.ts'

const longestMs = 24 * 60 * 60 * 1_000
/** Client errors that say "later": a slow request, one too early, too many. */
const later = new Set([408, 425, 429])
/** It has moved for good, and is not followed. */
const movedForGood = new Set([301, 308])

/**
 * Success is success, an error of the server may pass. An error of the client stays: the same call would get it again.
 * @param who answered, in words for the operator.
 * @param said what the answer came down to, beyond its status.
 */
export function judge({ status, headers }: Answer, who: string, said = ''): Tried {
  const all = said === '' ? String(status) : `${status} ${said}`
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
 * @param date when the receiver answered, by its own clock: without it a date says nothing, since ours may differ.
 * @returns milliseconds, a day at most.
 */
export function retryAfterMs(header: string | undefined, date: string | undefined): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, longestMs)
  const ms = instantOf(text) - instantOf(date?.trim() ?? '')
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestMs)
}

/** @returns milliseconds since the epoch; NaN for what is no date of HTTP's. */
function instantOf(text: string): number {
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return Number.NaN
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
}

/** A receiver's word for what is wrong, such as `invalid_payload`. Nothing else of what it says can be such a word: no token. */
export const wordIn = (value: unknown): string =>
  typeof value === 'string' && /^[A-Za-z_]{1,60}$/.test(value) ? value : ''

/** @returns an empty object for what is no JSON object. */
export function jsonOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** What a receiver said, for people to see: one line of it, without addresses. */
export function shown(said: string): string {
  const line = beginningOf(said)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  return maskText(line.replaceAll(/\b[a-z][a-z0-9+.-]{0,30}:\/\/\S+/gi, '[URL]'))
    .slice(0, shownMax)
    .toWellFormed()
}
const shownMax = 200
/** Read before anything is looked for: enough for what is shown, however much of it is blanks. */
const readMax = 2_000

/** An address that is cut in two would not be known for one: the last word goes as a whole, if it is not longer than that. */
function beginningOf(said: string): string {
  if (said.length <= readMax) return said
  let end = readMax
  while (end > shownMax && !/\s/.test(said[end - 1]!)) end -= 1
  return said.slice(0, end > shownMax ? end : readMax)
}
