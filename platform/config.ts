/** The only reader of the environment: strings in, one validated plain object out, every fault listed at once. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { databaseAddress, databaseExample } from '../streams/database-url.ts'
import { redisAddress, redisExample } from '../streams/redis-url.ts'
import { UrlError } from '../streams/url.ts'
import { settingsIn, unintended, unread } from './environment.ts'
import { identityFaults, identitySettings, toIdentity } from './identity/settings.ts'
import { librarySettings, toLibrary } from './library.ts'
import { baseUrl, integer, oneOf, origins } from './setting.ts'
import { toTraces, tracingSettings } from './tracing/settings.ts'

export const serviceNames = ['reservation', 'stock', 'notifier'] as const
export type ServiceName = (typeof serviceNames)[number]
/** Every process of the system: the services, which have stores, and the pages. */
export const processNames = [...serviceNames, 'web'] as const
export type ProcessName = (typeof processNames)[number]
export type Passwords = Record<ServiceName, string>

const defaultPorts: Record<ServiceName, number> = { reservation: 8081, stock: 8082, notifier: 8083 }
const defaultOpsPorts: Record<ServiceName, number> = { reservation: 9081, stock: 9082, notifier: 9083 }

/** URL of a store. Anything that the driver would not understand is refused here. No error repeats a value. */
const storeUrl = (parse: (url: string) => unknown, example: string) =>
  z.string(`is not set: it must be a URL like ${example}`).superRefine((text, context) => {
    try {
      parse(text)
    } catch (error) {
      if (!(error instanceof UrlError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  })

/** Printable ASCII, which this code and Postgres hash in the same way. */
const password = () =>
  z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 printable ASCII characters without spaces')
    .optional()

/** Includes wildcards. Listening shows whether the address belongs to this machine. */
const isHost = (text: string) =>
  isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0 || /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(text)

const databaseUrl = () => storeUrl(databaseAddress, databaseExample)

/** The description of a setting is its row in docs/settings.md: run `npm run docs` after a change. */
export const schema = z.object({
  HOST: z
    .string()
    .refine(isHost, 'must be an address or a name of this machine, as in 127.0.0.1')
    .default('::')
    .describe(
      'Address to listen on. `::` is every address, IPv4 included. `npm start` listens on `127.0.0.1`',
    ),
  PORT: integer(0, 65_535)
    .optional()
    .describe('HTTP port. Default: 8081 (reservation), 8082 (stock), 8083 (notifier), 8080 (web)'),
  OPS_PORT: integer(0, 65_535)
    .optional()
    .describe(
      'Port for probes, metrics and API docs. Expose it only to supervisors and operators. Default: 9081, 9082, 9083; 9080 (web)',
    ),
  PUBLIC_URL: baseUrl('https://books.example')
    .optional()
    .describe(
      'URL of the service as clients see it, such as `https://books.example`. Makes the `type` of every problem an absolute URL under it',
    ),
  CORS_ORIGINS: origins()
    .optional()
    .describe(
      'Origins whose pages may call the API, such as `https://app.example,http://localhost:5173`. Without it browsers let none',
    ),
  DATABASE_URL: databaseUrl().describe(
    'Postgres, as the role of the service or as a user that may assume it ([details](stores.md#database_url)). `npm start` starts one',
  ),
  REDIS_URL: storeUrl(redisAddress, redisExample).describe(
    '`redis://host:6379` or `redis+cluster://host:6379,host:6379` ([details](stores.md#redis_url)). `npm start` starts one',
  ),
  REDIS_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be lower-case letters, digits and dashes')
    .default('br')
    .describe('Prefix of every key and channel in Redis'),
  PARTITIONS: integer(1, 1024)
    .default(4)
    .describe('Number of partitions that share the books. Fixed by the first migration'),
  LEASE_TTL_MS: integer(500, 120_000).default(5_000).describe('How long a dead worker keeps its partitions'),
  RESEND_AFTER_MS: integer(100, 600_000)
    .default(3_000)
    .describe(
      "How long to wait for stock's answer before a reservation is sent again. Later attempts are at most 10 s apart",
    ),
  ACTIVE_MAX: integer(0, 1_000)
    .default(0)
    .describe(
      'How many reservations of a customer may be active at a time; more fail with `LimitReached`. `0`: any number, and customers cannot be blocked',
    ),
  EVENT_RETENTION_DAYS: integer(1, 3650)
    .default(90)
    .describe("How long published events, and with them a book's movements, are kept"),
  DRAIN_MS: integer(0, 60_000)
    .default(1_000)
    .describe('How long a stopping service keeps serving after `/readyz` has turned false'),
  LOOP_LIMIT_MS: integer(1_000, 600_000)
    .default(30_000)
    .describe('How long a loop may hang, or fail while its stores answer, before `/livez` fails'),
  ...librarySettings,
  ...identitySettings,
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')
    .default('info')
    .describe('`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`'),
  LOG_LINES_PER_SECOND: integer(0, 1_000_000)
    .default(100)
    .describe(
      'Lines per second of each kind that a reservation logs. Lines above that are [summed up](channels.md#console)',
    ),
  ...tracingSettings,
  REVISION: z
    .string()
    .default('unknown')
    .describe('Commit that the code is from, for the metric `bookreservation_build_info`. The image sets it'),
  RESERVATION_DATABASE_URL: databaseUrl()
    .optional()
    .describe(
      'Only for `npm run restored`, when each service has its own database: that of reservation, as a user that may migrate it',
    ),
  STOCK_DATABASE_URL: databaseUrl().optional().describe('The same for stock'),
  NOTIFIER_DATABASE_URL: databaseUrl().optional().describe('The same for the notifier'),
  RESERVATION_DATABASE_PASSWORD: password().describe(
    'Only for `npm run migrate`: password with which reservation logs in to Postgres, as the role of its name ([how](#roles-and-users))',
  ),
  STOCK_DATABASE_PASSWORD: password().describe('The same for stock'),
  NOTIFIER_DATABASE_PASSWORD: password().describe('The same for the notifier'),
  WEB_DATABASE_PASSWORD: password().describe(
    'The same for the pages, which log in to Postgres only with `IDENTITY=on`. May be left out',
  ),
  RESERVATION_REDIS_PASSWORD: password().describe(
    'Only for `npm run migrate`: password with which reservation logs in to Redis, as the user of its name ([how](#roles-and-users))',
  ),
  STOCK_REDIS_PASSWORD: password().describe('The same for stock'),
  NOTIFIER_REDIS_PASSWORD: password().describe('The same for the notifier'),
})

/** The settings of one service, in addition to those that all services have. */
export type OwnSettings<Own> = {
  shape: Readonly<Record<string, z.ZodType>>
  /** Parses an object of these into the service's part of the configuration. */
  schema: z.ZodType<Own>
}

const noSettings: OwnSettings<object> = { shape: {}, schema: z.object() }

/** The settings of every service. */
export type Config = ReturnType<typeof toShared>

/**
 * @returns the service's settings as trimmed strings. An empty string counts as not set. Then `NAME_FILE` may name a file with
 * the value, as Kubernetes and Docker mount secrets; if that cannot be read, the result has the name of the file's setting,
 * which is a fault (`unread`).
 */
export function readEnv(
  env: NodeJS.ProcessEnv = process.env,
  own: OwnSettings<object> = noSettings,
): Record<string, string> {
  return settingsIn(env, { ...schema.shape, ...own.shape })
}

export function toConfig(service: ServiceName, env: Record<string, string>): Config
export function toConfig<Own extends object>(
  service: ServiceName,
  env: Record<string, string>,
  own: OwnSettings<Own> | undefined,
): Config & Own
/** @throws {ConfigError} listing every fault. */
export function toConfig(
  service: ServiceName,
  env: Record<string, string>,
  own: OwnSettings<object> = noSettings,
): Config {
  const ofService = own.schema.safeParse(env)
  const passwords = [...missingPasswords(env, 'DATABASE'), ...missingPasswords(env, 'REDIS')]
  const shared = toSettings(schema, env, [...faultsOf(ofService), ...identityFaults(env), ...passwords])
  return { ...toShared(service, shared), ...ofService.data }
}

/**
 * The settings of a process that is no service.
 * @param more faults of settings together.
 * @throws {ConfigError} listing every fault.
 */
export function toSettings<Settings>(
  schema: z.ZodType<Settings>,
  env: Record<string, string>,
  more: string[] = [],
): Settings {
  const parsed = schema.safeParse(env)
  const faults = [...faultsOf(parsed), ...unread(env), ...unintended(env), ...more]
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  return parsed.data
}

const faultsOf = ({ error }: z.ZodSafeParseResult<unknown>): string[] =>
  (error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`)

function toShared(service: ServiceName, it: z.infer<typeof schema>) {
  return {
    service,
    // Only URLs need the brackets of an IPv6 address.
    host: it.HOST.replace(/^\[(.*)\]$/, '$1'),
    port: it.PORT ?? defaultPorts[service],
    opsPort: it.OPS_PORT ?? defaultOpsPorts[service],
    publicUrl: it.PUBLIC_URL,
    corsOrigins: it.CORS_ORIGINS,
    databaseUrl: it.DATABASE_URL,
    redisUrl: it.REDIS_URL,
    redisPrefix: it.REDIS_PREFIX,
    partitions: it.PARTITIONS,
    leaseTtlMs: it.LEASE_TTL_MS,
    resendAfterMs: it.RESEND_AFTER_MS,
    activeMax: it.ACTIVE_MAX,
    eventRetentionDays: it.EVENT_RETENTION_DAYS,
    drainMs: it.DRAIN_MS,
    loopLimitMs: it.LOOP_LIMIT_MS,
    ...toLibrary(it),
    identity: toIdentity(it),
    logLevel: it.LOG_LEVEL,
    logLinesPerSecond: it.LOG_LINES_PER_SECOND,
    databaseUrls: {
      reservation: it.RESERVATION_DATABASE_URL,
      stock: it.STOCK_DATABASE_URL,
      notifier: it.NOTIFIER_DATABASE_URL,
    },
    ...toTraces(it),
    revision: it.REVISION,
    /** For the migration: with these each service can log in as itself. All three or none. */
    databasePasswords: passwordsOf(it, 'DATABASE'),
    webDatabasePassword: it.WEB_DATABASE_PASSWORD,
    redisPasswords: passwordsOf(it, 'REDIS'),
  }
}

type Store = 'DATABASE' | 'REDIS'
const passwordName = (service: ServiceName, store: Store) =>
  `${service.toUpperCase() as Uppercase<ServiceName>}_${store}_PASSWORD` as const

/** A service without a password could not start, so this is reported before anything changes. */
function missingPasswords(env: Record<string, string>, store: Store): string[] {
  const names = serviceNames.map((service) => passwordName(service, store))
  const missing = names.filter((name) => !env[name])
  const named = names.find((name) => env[name])
  return named ? missing.map((name) => `${name} is not set, but ${named} is: set all three or none`) : []
}

function passwordsOf(it: z.infer<typeof schema>, store: Store): Passwords | undefined {
  const entries = serviceNames.map((service) => [service, it[passwordName(service, store)]] as const)
  return entries.every(([, value]) => value !== undefined)
    ? (Object.fromEntries(entries) as Passwords)
    : undefined
}

export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly faults: string[]
  constructor(faults: string[]) {
    super(`Cannot start: ${faults.join('; ')}`)
    this.faults = faults
  }
}
