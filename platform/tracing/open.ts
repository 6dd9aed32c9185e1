import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import type { Tracing } from './tracing.ts'

/** @returns undefined when tracing is off. */
export async function openTracing(config: Config, log: Log): Promise<Tracing | undefined> {
  const { otlpEndpoint, otlpHeaders, service, traceShare } = config
  if (otlpEndpoint === undefined) return undefined
  const { startTracing } = await import('./opentelemetry.ts')
  return startTracing({ endpoint: otlpEndpoint, headers: otlpHeaders, service, share: traceShare, log })
}
