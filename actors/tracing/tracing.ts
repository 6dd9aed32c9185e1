/**
 * Traces: what one request causes, in every process, for whoever collects them by OTLP.
 *
 * Off unless an endpoint is configured: then nothing of OpenTelemetry is loaded, nobody has a `Tracing`, and the paths that
 * would be traced look once whether there is one.
 *
 * T1. Everything that a request causes carries the `traceparent` of its span: rows, messages, notices. So each process adds
 *     its own spans to the request's trace, however much later.
 * T2. What is done for many at once (one insert for many reservations, one commit for a batch) is a span of its own, in a
 *     trace of its own, linked to each of those that it was done for. Each of these has a span for it too, linked back.
 * T3. A request that is not sampled causes no span anywhere.
 * T4. Where nothing traces, what a request causes carries the `traceparent` that the request brought; if it brought none, none.
 */
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'

export type Kind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'
export type Facts = Record<string, string | number | undefined>

export type SpanOptions = {
  kind?: Kind
  /** The `traceparent` of what caused it. Without one it begins a trace. */
  parent?: string | undefined
  /** The `traceparent`s of what it is done for. */
  links?: string[]
  facts?: Facts
  /** Milliseconds since 1970; now, unless it began before. */
  startedAt?: number
}

export type Span = {
  /** What it causes names this as its parent. */
  traceparent: string
  link(traceparent: string): void
  /** @param fault its class, or what it is called: of what went wrong. */
  end(fault?: string, facts?: Facts): void
}

export type Tracing = {
  begin(name: string, options?: SpanOptions): Span
  /** Sends what is left. Takes a moment at most, and never throws. */
  close(): Promise<void>
}

/** @returns undefined when nobody collects traces. */
export async function openTracing(config: Config, log: Log): Promise<Tracing | undefined> {
  const { otlpEndpoint, otlpHeaders, service, traceShare } = config
  if (otlpEndpoint === undefined) return undefined
  const { startTracing } = await import('./opentelemetry.ts')
  return startTracing({ endpoint: otlpEndpoint, headers: otlpHeaders, service, share: traceShare, log })
}

/** Whether somebody records the trace that this is of. */
export const isSampled = (traceparent: string | null | undefined): traceparent is string =>
  Boolean(traceparent) && (Number.parseInt(traceparent!.slice(-2), 16) & 1) === 1

/** The class of an error, as `error.type` wants it. */
export const faultOf = (error: unknown): string => (error instanceof Error ? error.name : 'unknown')
