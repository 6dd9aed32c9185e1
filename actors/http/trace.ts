/** W3C Trace Context: one id that runs from a request through every message and log line it causes. */
import type { Context } from 'hono'

/**
 * @returns the request's `traceparent` if it is valid, else a new one.
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceOf(c: Context): string {
  const given = c.req.header('traceparent')
  return given !== undefined && isTraceparent(given) ? given : newTrace()
}

const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
export const isTraceparent = (text: string): boolean => text.length === 55 && pattern.test(text)

/** Ids cut from random UUIDs, of which the platform keeps a stock. The flags say that nobody recorded it. */
function newTrace(): string {
  const span = crypto.randomUUID()
  return `00-${crypto.randomUUID().replaceAll('-', '')}-${span.slice(0, 8)}${span.slice(24, 32)}-00`
}

/** The id that log lines carry. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35)
