/** The settings of the pages. Those that the services have too are described in `platform/config.ts`. */
import { z } from 'zod'
import { schema, toSettings } from '../platform/config.ts'
import { settingsIn } from '../platform/environment.ts'
import { baseUrl } from '../platform/setting.ts'
import { toTraces, tracingSettings } from '../platform/tracing/settings.ts'
import { loginFaults, loginSettings, toLogin } from './identity/settings.ts'

const defaultPort = 8080
const defaultOpsPort = 9080

const apiUrl = (service: string, port: number) =>
  baseUrl(`http://${service}:${port}`)
    .default(`http://localhost:${port}`)
    .describe(`Where the pages reach ${service}. \`npm start\` sets it`)

/** Those that only the pages have. */
export const pagesSettings = z.object({
  RESERVATION_URL: apiUrl('reservation', 8081),
  STOCK_URL: apiUrl('stock', 8082),
  NOTIFIER_URL: apiUrl('notifier', 8083),
  ...loginSettings,
})

const all = schema
  .pick({
    HOST: true,
    PORT: true,
    OPS_PORT: true,
    PUBLIC_URL: true,
    DRAIN_MS: true,
    LOOP_LIMIT_MS: true,
    LIBRARY_TIMEZONE: true,
    DEFAULT_LOCALE: true,
    LOG_LEVEL: true,
    REVISION: true,
    IDENTITY: true,
    PRODUCTION: true,
    TOKEN_ISSUER: true,
    TOKEN_AUDIENCE: true,
    FORWARDED_HOPS: true,
  })
  .extend({ ...tracingSettings, ...pagesSettings.shape })
  // With identity alone.
  .extend({ DATABASE_URL: schema.shape.DATABASE_URL.optional() })

export type PagesConfig = ReturnType<typeof toPagesConfig>

/** @throws {ConfigError} listing every fault. */
export function toPagesConfig(env: NodeJS.ProcessEnv) {
  const given = settingsIn(env, all.shape)
  const it = toSettings(all, given, loginFaults(given))
  return {
    // Only URLs need the brackets of an IPv6 address.
    host: it.HOST.replace(/^\[(.*)\]$/, '$1'),
    port: it.PORT ?? defaultPort,
    opsPort: it.OPS_PORT ?? defaultOpsPort,
    publicUrl: it.PUBLIC_URL,
    drainMs: it.DRAIN_MS,
    loopLimitMs: it.LOOP_LIMIT_MS,
    libraryTimezone: it.LIBRARY_TIMEZONE,
    defaultLocale: it.DEFAULT_LOCALE,
    logLevel: it.LOG_LEVEL,
    revision: it.REVISION,
    ...toTraces(it),
    login: toLogin(it),
    urls: { reservation: it.RESERVATION_URL, stock: it.STOCK_URL, notifier: it.NOTIFIER_URL },
  }
}
