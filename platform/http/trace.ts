/**
 * W3C Trace Context: one id that runs from a request through every message and log line it causes. With tracing off,
 * only a request that brings an id has one: no other id could be looked up, and each would be stored with every row
 * and message.
 */
import type { Context } from 'hono'
import { headerOf } from './node.ts'

/** Context variable with the request's own span, if it has one. */
export const spanKey = 'traceparent'

/**
 * @returns the `traceparent` of the request's span; otherwise the request's own, if it is valid. Source:
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceOf(c: Context): string | undefined {
  return c.get(spanKey) ?? givenTrace(c)
}

/** @returns the `traceparent` that a request brought, if it is valid. */
export function givenTrace(c: Context): string | undefined {
  const given = headerOf(c, 'traceparent')
  return given !== undefined && isTraceparent(given) ? given : undefined
}

const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const isTraceparent = (text: string): boolean => text.length === 55 && pattern.test(text)

/**
 * @returns the fields of a log line, if there is a trace: the span is the one that caused the line. Source:
 * https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
 */
export const traceFacts = (traceparent: string | null | undefined) =>
  traceparent ? { trace_id: traceparent.slice(3, 35), span_id: traceparent.slice(36, 52) } : undefined
