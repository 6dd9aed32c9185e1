/**
 * Sends spans to a collector by OTLP over HTTP, as JSON, with the platform's `fetch`. OpenTelemetry's exporter for
 * Node would keep a process on Deno alive while a collector does not answer.
 */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'

type ExporterOptions = {
  url: string
  /** Headers for the collector, such as an API key. */
  headers: Record<string, string>
  withinMs: number
}

/** Does not retry: spans that the collector does not accept are lost. */
export function exporterTo(options: ExporterOptions): SpanExporter {
  const underWay = new Set<Promise<void>>()
  const settled = async () => void (await Promise.allSettled(underWay))
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
      const posting = post(options, spans)
        .then(
          () => done({ code: ExportResultCode.SUCCESS }),
          (error) => done({ code: ExportResultCode.FAILED, error }),
        )
        .finally(() => underWay.delete(posting))
      underWay.add(posting)
    },
    forceFlush: settled,
    shutdown: settled,
  }
}

async function post({ url, headers, withinMs }: ExporterOptions, spans: ReadableSpan[]): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JsonTraceSerializer.serializeRequest(spans) as BodyInit,
    redirect: 'error',
    signal: AbortSignal.timeout(withinMs),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`The collector answered ${response.status}`)
}
