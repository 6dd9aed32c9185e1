/** What `npm start` can be told, from the environment. The services' own settings pass through to them. */
import { resolve } from 'node:path'
import { z } from 'zod'
import {
  type Config,
  ConfigError,
  readEnv,
  type ServiceName,
  serviceNames,
  toConfig,
} from '../../actors/config.ts'
import { notifierSettings } from '../../actors/notifier/config.ts'

const port = (fallback: number) => {
  const message = 'must be a port, 0 to 65535'
  const number = z.coerce.number(message).int(message).min(0, message).max(65_535, message)
  return z.preprocess((text) => (isServiceLink(text) ? undefined : text), number.default(fallback))
}

/** What Kubernetes sets for a Service named, say, `stock` in each pod beside it, as in `STOCK_PORT=tcp://10.3.2.1:8082`. */
export const isServiceLink = (value: unknown): boolean =>
  typeof value === 'string' && /^(tcp|udp|sctp):\/\//.test(value)

const services = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(serviceNames, `must be some of ${serviceNames.join(',')}`)))
  // In one order, each once.
  .transform((chosen) => serviceNames.filter((name) => chosen.includes(name)))

const schema = z.object({
  SERVICES: services.prefault(serviceNames.join(',')),
  RESERVATION_PORT: port(8081),
  STOCK_PORT: port(8082),
  NOTIFIER_PORT: port(8083),
  RESERVATION_OPS_PORT: port(9081),
  STOCK_OPS_PORT: port(9082),
  NOTIFIER_OPS_PORT: port(9083),
  DATA_DIR: z.string().min(1).default('.data'),
  RUNTIME: z.enum(['node', 'deno']).default('node'),
  LOG_FORMAT: z.enum(['pretty', 'json']).default('pretty'),
})

/** Only this machine can reach it. A user who wants to let others in sets HOST. */
const defaultHost = '127.0.0.1'

/** Stand-ins for what is yet to be brought. */
const brought = { DATABASE_URL: 'postgres://brought', REDIS_URL: 'redis://brought' }

export type Settings = {
  /** The services that run here. */
  services: ServiceName[]
  ports: Record<ServiceName, number>
  /** Of probes, metrics and docs. */
  opsPorts: Record<ServiceName, number>
  dataDir: string
  runtime: 'node' | 'deno'
  logFormat: 'pretty' | 'json'
  /** Of the services. */
  logLevel: Config['logLevel']
  host: string
  partitions: number
  databaseUrl: string | undefined
  redisUrl: string | undefined
}

/** Checks the services' settings too, so that a fault is told once and before anything runs. */
export function toSettings(env: NodeJS.ProcessEnv): Settings {
  // Blanks around a value are none of it, and an empty string counts as not set.
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
  const ports = { reservation: it.RESERVATION_PORT, stock: it.STOCK_PORT, notifier: it.NOTIFIER_PORT }
  const opsPorts = {
    reservation: it.RESERVATION_OPS_PORT,
    stock: it.STOCK_OPS_PORT,
    notifier: it.NOTIFIER_OPS_PORT,
  }
  const fixed = [...Object.values(ports), ...Object.values(opsPorts)].filter((port) => port !== 0)
  if (new Set(fixed).size < fixed.length)
    throw new Error(`the services' ports must differ: ${fixed.join(', ')}`)
  return {
    services: it.SERVICES,
    ports,
    opsPorts,
    dataDir: resolve(it.DATA_DIR),
    runtime: it.RUNTIME,
    logFormat: it.LOG_FORMAT,
    logLevel: services.logLevel,
    host: given.HOST ? services.host : defaultHost,
    partitions: services.partitions,
    databaseUrl: given.DATABASE_URL,
    redisUrl: given.REDIS_URL,
  }
}

function configOf(env: NodeJS.ProcessEnv): Config | ConfigError {
  const { PORT: _, OPS_PORT: __, ...services } = readEnv(env, notifierSettings)
  try {
    return toConfig('notifier', { ...brought, ...services }, notifierSettings)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

export const help = `npm start: the whole system on this machine. Ctrl-C stops it; starting again finds all data.

Settings, from the environment:

  RESERVATION_PORT  8081     0 means any free port
  STOCK_PORT        8082
  NOTIFIER_PORT     8083
  RESERVATION_OPS_PORT, STOCK_OPS_PORT, NOTIFIER_OPS_PORT
                    9081 to 9083: probes, metrics and docs
  DATABASE_URL               a Postgres to use; without it, one is brought, with its data in DATA_DIR
  REDIS_URL                  a Redis to use; without it, one is brought, with its data in DATA_DIR
  DATA_DIR          .data    where those two keep their data
  RUNTIME           node     or deno: what runs the services
  SERVICES          all      the services to run, as in reservation,notifier
  LOG_FORMAT        pretty   or json: the services' own lines, one JSON object each
  HOST              127.0.0.1, which this machine alone can reach: the address that the services listen on.
                             0.0.0.0, or :: with IPv6, lets the network in

The services read their own settings (LOG_LEVEL, SMTP_URL, PARTITIONS, …) from the environment too.`
