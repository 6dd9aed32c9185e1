/** W3C Trace Context: one id that runs from a request through every message and log line it causes. */
import type { Context } from 'hono'
import { headerOf } from './node.ts'

/** Where the request's own span is noted, if it has one. */
export const spanKey = 'traceparent'

/**
 * @returns the `traceparent` of the request's span; else the one it came with, if that is valid; else a new one.
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceOf(c: Context): string {
  return c.get(spanKey) ?? givenTrace(c) ?? newTrace()
}

/** @returns the `traceparent` that a request came with, if it is valid. */
export function givenTrace(c: Context): string | undefined {
  const given = headerOf(c, 'traceparent')
  return given !== undefined && isTraceparent(given) ? given : undefined
}

const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
export const isTraceparent = (text: string): boolean => text.length === 55 && pattern.test(text)

/**
 * Ids cut from a random UUID, of which the platform keeps a stock: the span is the only one of its trace, so it may share
 * the trace's digits. The flags say that nobody recorded it.
 */
function newTrace(): string {
  const id = crypto.randomUUID().replaceAll('-', '')
  return `00-${id}-${id.slice(16)}-00`
}

/** The id that log lines carry. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35)
