import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { postgresFacts, redisFacts } from './stores.ts'
import type { Tracing } from './tracing.ts'

/** @returns undefined when tracing is off. */
export async function openTracing(config: Config, log: Log): Promise<Tracing | undefined> {
  const { tracesUrl, otlpHeaders, service, traceShare, databaseUrl, redisUrl } = config
  if (tracesUrl === undefined) return undefined
  const { startTracing } = await import('./opentelemetry.ts')
  return startTracing({
    url: tracesUrl,
    headers: otlpHeaders,
    service,
    share: traceShare,
    postgres: postgresFacts(databaseUrl, service),
    redis: redisFacts(redisUrl),
    log,
  })
}
