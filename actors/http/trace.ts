/**
 * W3C Trace Context: one id that runs from a request through every message and log line it causes. Where nothing traces, only
 * a request that brings one has it: nobody could ask for any other, and each would be stored with every row and message.
 */
import type { Context } from 'hono'

/** Where the request's own span is noted, if it has one. */
export const spanKey = 'traceparent'

/**
 * @returns the `traceparent` of the request's span; else the one it came with, if that is valid; else none.
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceOf(c: Context): string | undefined {
  return c.get(spanKey) ?? givenTrace(c)
}

/** @returns the `traceparent` that a request came with, if it is valid. */
export function givenTrace(c: Context): string | undefined {
  const given = c.req.header('traceparent')
  return given !== undefined && isTraceparent(given) ? given : undefined
}

const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const isTraceparent = (text: string): boolean => text.length === 55 && pattern.test(text)

/** @returns the id that log lines carry, if what they tell of is part of a trace. */
export const traceIdOf = (traceparent: string | null | undefined): string | undefined =>
  traceparent?.slice(3, 35)
