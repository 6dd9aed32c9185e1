import type { Config, ProcessName } from '../config.ts'
import type { Log } from '../log.ts'
import { postgresFacts, redisFacts } from './stores.ts'
import type { Tracing } from './tracing.ts'

/** The stores are those that spans are about. */
type Settings = Pick<Config, 'tracesUrl' | 'otlpHeaders' | 'traceShare'> &
  Partial<Pick<Config, 'databaseUrl' | 'redisUrl'>> & { service: ProcessName }

/** @returns undefined when tracing is off. */
export async function openTracing(settings: Settings, log: Log): Promise<Tracing | undefined> {
  const { tracesUrl, otlpHeaders, service, traceShare, databaseUrl, redisUrl } = settings
  if (tracesUrl === undefined) return undefined
  const { startTracing } = await import('./opentelemetry.ts')
  return startTracing({
    url: tracesUrl,
    headers: otlpHeaders,
    service,
    share: traceShare,
    postgres: databaseUrl === undefined ? {} : postgresFacts(databaseUrl, service),
    redis: redisUrl === undefined ? {} : redisFacts(redisUrl),
    log,
  })
}
