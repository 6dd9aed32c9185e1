/**
 * Traces of everything that a request causes, in every process, exported by OTLP.
 *
 * Off unless an endpoint is set, or if `OTEL_SDK_DISABLED` is. While off, OpenTelemetry is not loaded, `Tracing` is undefined, and each
 * traced path checks for it once.
 *
 * T1. Everything that a request causes carries the `traceparent` of its span: rows, messages, notices. So every
 *     process adds its spans to the request's trace, however much later.
 * T2. Work for many requests at once (one insert for many reservations, one commit for a batch) is a span in a trace
 *     of its own, linked to each of those requests. Each of them has a span for it too, linked back.
 * T3. A request that is not sampled causes no span anywhere.
 * T4. With tracing off, everything that a request causes carries the `traceparent` that the request brought, if any.
 */
import { sqlStateOf } from '../../streams/postgres.ts'

export type Kind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'
export type Facts = Record<string, string | number | undefined>

export type SpanOptions = {
  kind?: Kind
  /** The `traceparent` of its cause. Without one the span begins a trace. */
  parent?: string | undefined
  /** The `traceparent`s of the requests that it works for. */
  links?: string[]
  facts?: Facts
  /** Milliseconds since 1970; now by default. */
  startedAt?: number
}

export type Span = {
  /** The parent of everything that it causes. */
  traceparent: string
  link(traceparent: string): void
  /** @param fault class or name of the error, if it failed. */
  end(fault?: string, facts?: Facts): void
}

export type Tracing = {
  /** Facts of every span that is a statement. */
  readonly postgres: Facts
  /** Facts of every span that is about messages. */
  readonly redis: Facts
  begin(name: string, options?: SpanOptions): Span
  /** Sends the remaining spans, within a time limit. Never throws. */
  close(): Promise<void>
}

/** Whether the trace of this `traceparent` is recorded. */
export const isSampled = (traceparent: string | null | undefined): traceparent is string =>
  Boolean(traceparent) && (Number.parseInt(traceparent!.slice(-2), 16) & 1) === 1

/** @param error its SQLSTATE, if Postgres answered it, or its class becomes the `error.type`. */
export function endWith(span: Span, error: unknown): void {
  const state = sqlStateOf(error)
  if (error === undefined) span.end()
  else
    span.end(state ?? (error instanceof Error ? error.name : '_OTHER'), { 'db.response.status_code': state })
}
