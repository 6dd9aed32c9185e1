import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { postgresFacts, redisFacts } from './stores.ts'
import type { Tracing } from './tracing.ts'

/** @returns undefined when tracing is off. */
export async function openTracing(config: Config, log: Log): Promise<Tracing | undefined> {
  const { otlpEndpoint, otlpHeaders, service, traceShare, databaseUrl, redisUrl } = config
  if (otlpEndpoint === undefined) return undefined
  const { startTracing } = await import('./opentelemetry.ts')
  return startTracing({
    endpoint: otlpEndpoint,
    headers: otlpHeaders,
    service,
    share: traceShare,
    postgres: postgresFacts(databaseUrl, service),
    redis: redisFacts(redisUrl),
    log,
  })
}
