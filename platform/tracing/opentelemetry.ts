/** Tracing with the OpenTelemetry SDK. Loaded only if tracing is on, because it takes memory and time to start. */
import { hostname } from 'node:os'
import {
  type Context,
  diag,
  INVALID_SPAN_CONTEXT,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { parseKeyPairsIntoRecord } from '@opentelemetry/core'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { deadline } from '../../streams/deadline.ts'
import { version } from '../build.ts'
import type { Log } from '../log.ts'
import { exporterTo } from './exporter.ts'
import type { Kind, Span, SpanOptions, Tracing } from './tracing.ts'

/** How long a collector may take to accept spans. After that they are lost: nothing ever waits for traces. */
const exportWithinMs = 1_500
const closeWithinMs = 2_000
/** The most spans that wait to be sent; further ones are dropped. */
const queueMax = 8_192
const sendEveryMs = 500
/** While a collector is down, one log line per this time. */
const quietMs = 60_000

const kinds: Record<Kind, SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

type TracingOptions = {
  /** The URL to which spans are posted. */
  url: string
  /** `name=value,name=value`, URL-encoded. */
  headers: string | undefined
  service: string
  /** Share of the requests without a trace that are traced: 0 to 1. */
  share: number
  log: Pick<Log, 'warn'>
} & Pick<Tracing, 'postgres' | 'redis'>

export function startTracing(options: TracingOptions): Tracing {
  const { url, headers, service, share, postgres, redis, log } = options
  diag.setLogger(loggingFaultsTo(log))
  const exporter = exporterTo({
    url,
    headers: parseKeyPairsIntoRecord(headers),
    withinMs: exportWithinMs,
  })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.namespace': 'bookreservation',
          'service.name': service,
          'service.version': version,
          'service.instance.id': `${hostname()}-${process.pid}`,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: linkedOr(new TraceIdRatioBasedSampler(share)) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        exportTimeoutMillis: exportWithinMs,
        maxQueueSize: queueMax,
        scheduledDelayMillis: sendEveryMs,
      }),
    ],
  })
  const tracer = provider.getTracer('bookreservation', version)

  return {
    postgres,
    redis,
    begin(name: string, { kind = 'internal', parent, links = [], facts, startedAt }: SpanOptions = {}): Span {
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], attributes: facts, links: links.map(toLink), startTime: startedAt },
        contextOf(parent),
      )
      return {
        traceparent: toTraceparent(span.spanContext()),
        link: (traceparent) => void span.addLink(toLink(traceparent)),
        end(fault, facts) {
          if (facts) span.setAttributes(facts)
          if (fault !== undefined)
            span.setAttribute('error.type', fault).setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    async close() {
      await deadline(closeWithinMs, 'send the last spans', provider.shutdown()).catch((error) =>
        log.warn({ err: error }, 'traces lost'),
      )
    },
  }
}

/** Records a span for many requests if any of them is traced. */
const linkedOr = (others: Sampler): Sampler => ({
  shouldSample: (context, traceId, name, kind, attributes, links) =>
    links.length > 0
      ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
      : others.shouldSample(context, traceId, name, kind, attributes, links),
  toString: () => `Linked{${others}}`,
})

function contextOf(traceparent: string | undefined): Context {
  return traceparent === undefined
    ? ROOT_CONTEXT
    : trace.setSpanContext(ROOT_CONTEXT, toSpanContext(traceparent))
}

const toLink = (traceparent: string): Link => ({ context: toSpanContext(traceparent) })

/** The fields of a valid `traceparent` have fixed positions. */
function toSpanContext(traceparent: string): SpanContext {
  const [, traceId, spanId, flags] = traceparent.split('-')
  if (!traceId || !spanId || !flags) return INVALID_SPAN_CONTEXT
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}

const toTraceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-0${traceFlags & 1}`

/** The SDK reports its own faults through its diagnostics. */
function loggingFaultsTo(log: Pick<Log, 'warn'>) {
  let quietUntil = 0
  const warn = (message: string) => {
    if (performance.now() < quietUntil) return
    quietUntil = performance.now() + quietMs
    log.warn({ reason: message.slice(0, 500) }, 'traces lost')
  }
  const ignore = () => {}
  return { error: warn, warn, info: ignore, debug: ignore, verbose: ignore }
}
