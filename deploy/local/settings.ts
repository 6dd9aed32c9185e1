/** The settings of `npm start`, from the environment. Those of the services are passed on to them. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { notifierSettings } from '../../actors/notifier/config.ts'
import { type Config, ConfigError, processNames, readEnv, toConfig } from '../../platform/config.ts'
import { integer } from '../../platform/setting.ts'
import { toPagesConfig } from '../../web/config.ts'

const port = (fallback: number) => {
  const message = 'must be a port, 0 to 65535'
  const number = z.coerce.number(message).int(message).min(0, message).max(65_535, message)
  return z.preprocess((text) => (isServiceLink(text) ? undefined : text), number.default(fallback))
}

/** In every pod Kubernetes sets variables for the Services beside it, such as `STOCK_PORT=tcp://10.3.2.1:8082`. */
export const isServiceLink = (value: unknown): boolean =>
  typeof value === 'string' && /^(tcp|udp|sctp):\/\//.test(value)

const services = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(processNames, `must be some of ${processNames.join(',')}`)))
  // In one order, each once.
  .transform((chosen) => processNames.filter((name) => chosen.includes(name)))

/** A description is a row of docs/settings.md (`npm run docs`) and a line of `npm start -- --help`. */
export const schema = z.object({
  SERVICES: services.prefault(processNames.join(',')).describe('The services to run'),
  RESERVATION_PORT: port(8081).describe('HTTP port of reservation; 0 is any free port, here and below'),
  STOCK_PORT: port(8082).describe('HTTP port of stock'),
  NOTIFIER_PORT: port(8083).describe('HTTP port of the notifier'),
  RESERVATION_OPS_PORT: port(9081).describe('Port for its probes, metrics and API docs'),
  STOCK_OPS_PORT: port(9082).describe('The same for stock'),
  NOTIFIER_OPS_PORT: port(9083).describe('The same for the notifier'),
  WEB_PORT: port(8080).describe('Port of the pages'),
  WEB_OPS_PORT: port(9080).describe('Port for their probes and metrics'),
  PROVIDER_PORT: port(8084).describe('With `--identity`: port of the provider that people log in at'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('.data')
    .describe('Where the Postgres and Redis of `npm start` keep their data'),
  RUNTIME: z.enum(['node', 'deno']).default('node').describe('What runs the services: `node` or `deno`'),
  INSPECT: z
    .enum(processNames, `must be one of ${processNames.join(', ')}`)
    .optional()
    .describe('The service that a debugger can attach to, from this machine only'),
  INSPECT_PORT: integer(1, 65_535).default(9229).describe('The port for that'),
  LOG_FORMAT: z
    .enum(['pretty', 'json'])
    .default('pretty')
    .describe('`pretty`, or `json`: one JSON object per line'),
})

/** Reachable from this machine only. To let others in, set HOST. */
const defaultHost = '127.0.0.1'

/** Placeholders: the real servers are not started yet. */
const placeholders = { DATABASE_URL: 'postgres://placeholder', REDIS_URL: 'redis://placeholder' }

export type Settings = ReturnType<typeof toSettings>

/** Checks the services' settings too, so that a fault is reported once, before anything runs. */
export function toSettings(env: NodeJS.ProcessEnv) {
  // Values are trimmed, and an empty string counts as not set.
  const trimmed = Object.entries(env).map(([name, value]) => [name, value?.trim()] as const)
  const given = Object.fromEntries(trimmed.filter(([, value]) => value !== ''))
  const own = schema.safeParse(given)
  const services = configOf(given)
  const faults = [
    ...(own.error?.issues ?? []).map((issue) => `${issue.path[0]?.toString()} ${issue.message}`),
    ...(services instanceof ConfigError ? services.faults : []),
  ]
  if (!own.success || services instanceof ConfigError) throw new Error(faults.join('; '))
  const it = own.data
  const fromFiles = readEnv(given)
  const ports = {
    reservation: it.RESERVATION_PORT,
    stock: it.STOCK_PORT,
    notifier: it.NOTIFIER_PORT,
    web: it.WEB_PORT,
  }
  /** For probes, metrics and docs. */
  const opsPorts = {
    reservation: it.RESERVATION_OPS_PORT,
    stock: it.STOCK_OPS_PORT,
    notifier: it.NOTIFIER_OPS_PORT,
    web: it.WEB_OPS_PORT,
  }
  if (it.INSPECT && !it.SERVICES.includes(it.INSPECT))
    throw new Error(`INSPECT names ${it.INSPECT}, which is not among SERVICES`)
  const fixed = [...Object.values(ports), ...Object.values(opsPorts), it.PROVIDER_PORT].filter(
    (port) => port !== 0,
  )
  if (new Set(fixed).size < fixed.length)
    throw new Error(`the services' ports must differ: ${fixed.join(', ')}`)
  return {
    /** Those that run here. */
    services: it.SERVICES,
    ports,
    opsPorts,
    /** Of the provider of `--identity`. */
    providerPort: it.PROVIDER_PORT,
    dataDir: dataDirOf(given),
    runtime: it.RUNTIME,
    inspect: it.INSPECT && { service: it.INSPECT, port: it.INSPECT_PORT },
    logFormat: it.LOG_FORMAT,
    /** Of the services. */
    logLevel: services.logLevel,
    host: given.HOST ? services.host : defaultHost,
    partitions: services.partitions,
    databaseUrl: fromFiles.DATABASE_URL,
    redisUrl: fromFiles.REDIS_URL,
    /** Whether callers need tokens. */
    identity: services.identity !== undefined,
  }
}

/** @returns the folder of the data, before the settings are checked. */
export const dataDirOf = (env: NodeJS.ProcessEnv): string => resolve(env.DATA_DIR?.trim() || '.data')

function configOf(env: NodeJS.ProcessEnv): Config | ConfigError {
  const { PORT: _, OPS_PORT: __, ...services } = readEnv(env, notifierSettings)
  const pages = {
    ...placeholders,
    PUBLIC_URL: 'http://placeholder',
    ...env,
    PORT: undefined,
    OPS_PORT: undefined,
  }
  const runsPages = /(^|,)\s*web\s*(,|$)/.test(env.SERVICES ?? 'web')
  const ofPages = runsPages ? attempt(() => toPagesConfig(pages)) : undefined
  const config = attempt(() => toConfig('notifier', { ...placeholders, ...services }, notifierSettings))
  if (config instanceof ConfigError || ofPages instanceof ConfigError)
    // Most of the settings of the pages are those of the services.
    return new ConfigError([
      ...new Set([config, ofPages].flatMap((it) => (it instanceof ConfigError ? it.faults : []))),
    ])
  return config
}

function attempt<Read>(read: () => Read): Read | ConfigError {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

/** The default that zod's own definition holds: a setting without one is optional or required. */
export function defaultOf(field: z.ZodType): string {
  const def = field.def as z.core.$ZodTypeDef & { defaultValue?: unknown; out?: z.ZodType }
  if (def.defaultValue !== undefined) return String(def.defaultValue)
  if (def.out) return defaultOf(def.out)
  return def.type === 'optional' ? '' : 'required'
}

const nameWidth = Math.max(...Object.keys(schema.shape).map((it) => it.length))

function helpLine([name, field]: [string, z.ZodType]): string {
  return `  ${name.padEnd(nameWidth)}  ${field.description?.replaceAll('`', '')} (${defaultOf(field)})`
}

export const help = `npm start: the whole system on this machine. Ctrl-C stops it; the next start finds all data.

npm run dev: the same, and a service restarts when a file of its folder changes: in actors/, or web/ for the pages. A change in
platform/, streams/ or in actors/ itself restarts all of them. Postgres and Redis keep running. A new migration needs a new start.

npm start -- --identity: people log in at a provider that is started too, or at yours if OIDC_ISSUER is set. Callers need tokens, which
npm run token prints.

Settings, from the environment or from a file .env (see .env.example), with their defaults:

${Object.entries(schema.shape).map(helpLine).join('\n')}
  ${'DATABASE_URL'.padEnd(nameWidth)}  A Postgres to use (one is started, with its data in DATA_DIR)
  ${'REDIS_URL'.padEnd(nameWidth)}  A Redis to use (one is started, with its data in DATA_DIR)
  ${'HOST'.padEnd(nameWidth)}  Address that the services listen on (127.0.0.1, which only this machine can reach);
  ${''.padEnd(nameWidth)}  0.0.0.0, or :: with IPv6, lets the network in

The services also read their own settings, such as LOG_LEVEL and SMTP_URL: see docs/settings.md.`
