/**
 * Sends spans to a collector by OTLP over HTTP, as JSON, with the platform's own `fetch`: the exporter that OpenTelemetry
 * brings for Node keeps a process on Deno alive for as long as a collector does not answer.
 */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'

export type ExporterOptions = {
  url: string
  /** Of the collector: a key, perhaps. */
  headers: Record<string, string>
  withinMs: number
}

/** What is not taken at the first time is lost. */
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
