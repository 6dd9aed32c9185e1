/** The span of a request: a part of the trace that it brought, if any. */
import type { Context } from 'hono'
import type { Span, Tracing } from '../tracing/tracing.ts'
import { givenTrace, spanKey } from './trace.ts'

const customerParameter = '{userid}'

/**
 * Without the query, which may name a customer, and without the path where it names one. Source:
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
 */
export function spanOf(
  tracing: Tracing,
  { method, path }: { method: string; path: string },
): (c: Context) => Span {
  const verb = method.toUpperCase()
  const isPersonal = path.includes(customerParameter)
  return (c) => {
    const facts = {
      'http.request.method': verb,
      'http.route': path,
      'url.scheme': 'http',
      'url.path': isPersonal ? path : c.req.path,
    }
    const span = tracing.begin(`${verb} ${path}`, { kind: 'server', parent: givenTrace(c), facts })
    c.set(spanKey, span.traceparent)
    return span
  }
}

export const endSpan = (span: Span, status: number) =>
  span.end(status >= 500 ? String(status) : undefined, { 'http.response.status_code': status })
