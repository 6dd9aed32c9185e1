/** The only reader of the environment: strings in, one validated plain object out, every fault listed at once. */
import { z } from 'zod'

export const serviceNames = ['reservation', 'stock', 'notifier'] as const
export type ServiceName = (typeof serviceNames)[number]
export type Passwords = Record<ServiceName, string>

const defaultPorts: Record<ServiceName, number> = { reservation: 8081, stock: 8082, notifier: 8083 }

const integer = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`
  return z.coerce.number(message).int(message).min(min, message).max(max, message)
}
const url = (protocols: string[], example: string) =>
  z
    .string(`is not set: it must be a URL like ${example}`)
    .refine((text) => protocols.includes(protocolOf(text)), `must be a URL like ${example}`)
const oneOf = <const Value extends string>(...values: Value[]) =>
  z.enum(values, `must be one of ${values.join(', ')}`)

const share = () => {
  const message = 'must be a number from 0 to 1'
  return z.coerce.number(message).min(0, message).max(1, message)
}

/** Printable ASCII: what hashes a password, here and in Postgres, cannot take it for two different ones. */
const password = () =>
  z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 printable ASCII characters without spaces')
    .optional()

function protocolOf(text: string): string {
  // A list of cluster nodes (host:port,host:port) is no URL; the protocol is all that is checked here.
  return text.slice(0, Math.max(0, text.indexOf('://')))
}

const schema = z.object({
  HOST: z.string().min(1).default('0.0.0.0'),
  PORT: integer(0, 65_535).optional(),
  DATABASE_URL: url(['postgres', 'postgresql'], 'postgres://user:password@host:5432/database'),
  REDIS_URL: url(
    ['redis', 'rediss', 'redis+cluster', 'rediss+cluster'],
    'redis://host:6379 or redis+cluster://host:6379,host:6379',
  ),
  REDIS_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be lower-case letters, digits and dashes')
    .default('br'),
  PARTITIONS: integer(1, 1024).default(8),
  LEASE_TTL_MS: integer(500, 120_000).default(5_000),
  RESEND_AFTER_MS: integer(100, 600_000).default(3_000),
  EVENT_RETENTION_DAYS: integer(1, 3650).default(90),
  DRAIN_MS: integer(0, 60_000).default(1_000),
  LOOP_LIMIT_MS: integer(1_000, 600_000).default(30_000),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  SMTP_URL: url(['smtp', 'smtps'], 'smtp://user:password@host:587').optional(),
  MAIL_FROM: z.string().min(3).default('Book reservations <no-reply@bookreservation.example>'),
  CHAT_WEBHOOK_URL: url(['http', 'https'], 'https://chat.example/hook').optional(),
  PURCHASER_EMAIL: z.email('must be an e-mail address').optional(),
  WEBHOOK_ALLOW_PRIVATE: oneOf('true', 'false').default('false'),
  NOTICE_DELAY_MS: integer(0, 60_000).default(300),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http', 'https'], 'http://collector:4318').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  OTEL_TRACES_SAMPLER_ARG: share().default(1),
  RESERVATION_DATABASE_PASSWORD: password(),
  STOCK_DATABASE_PASSWORD: password(),
  NOTIFIER_DATABASE_PASSWORD: password(),
  RESERVATION_REDIS_PASSWORD: password(),
  STOCK_REDIS_PASSWORD: password(),
  NOTIFIER_REDIS_PASSWORD: password(),
})

export type Config = ReturnType<typeof toConfig>

/** The settings this project knows, as strings. An empty string counts as not set. */
export function readEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const entries = Object.keys(schema.shape).map((name) => [name, env[name]] as const)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => Boolean(entry[1])))
}

/** @throws {ConfigError} listing every fault. */
export function toConfig(service: ServiceName, env: Record<string, string>) {
  const parsed = schema.safeParse(env)
  const faults = parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? []
  faults.push(...missingPasswords(env, 'DATABASE'), ...missingPasswords(env, 'REDIS'))
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  const it = parsed.data
  return {
    service,
    host: it.HOST,
    port: it.PORT ?? defaultPorts[service],
    databaseUrl: it.DATABASE_URL,
    redisUrl: it.REDIS_URL,
    redisPrefix: it.REDIS_PREFIX,
    /** How many streams carry the mailboxes. Fixed by the first migration. */
    partitions: it.PARTITIONS,
    leaseTtlMs: it.LEASE_TTL_MS,
    resendAfterMs: it.RESEND_AFTER_MS,
    eventRetentionDays: it.EVENT_RETENTION_DAYS,
    /** How long a stopping service goes on serving after `/readyz` turned false. */
    drainMs: it.DRAIN_MS,
    /** How long a loop may go without progress before `/livez` fails. */
    loopLimitMs: it.LOOP_LIMIT_MS,
    logLevel: it.LOG_LEVEL,
    smtpUrl: it.SMTP_URL,
    mailFrom: it.MAIL_FROM,
    chatWebhookUrl: it.CHAT_WEBHOOK_URL,
    purchaserEmail: it.PURCHASER_EMAIL,
    /** Lets customers' webhooks point at http and private addresses. For development and tests. */
    webhookAllowPrivate: it.WEBHOOK_ALLOW_PRIVATE === 'true',
    /** How long a notice rests before it is sent by e-mail or webhook, so that a cancellation right behind it supersedes it. */
    noticeDelayMs: it.NOTICE_DELAY_MS,
    /** Where traces go. */
    otlpEndpoint: it.OTEL_EXPORTER_OTLP_ENDPOINT,
    otlpHeaders: it.OTEL_EXPORTER_OTLP_HEADERS,
    /** Of the requests that come without a trace of their own, how many are traced. */
    traceShare: it.OTEL_TRACES_SAMPLER_ARG,
    /** For the migration: with these the services can log in each as itself. Of three none is left out. */
    databasePasswords: passwordsOf(it, 'DATABASE'),
    redisPasswords: passwordsOf(it, 'REDIS'),
  }
}

type Store = 'DATABASE' | 'REDIS'
const passwordName = (service: ServiceName, store: Store) =>
  `${service.toUpperCase() as Uppercase<ServiceName>}_${store}_PASSWORD` as const

/** A service that is left out could not start: that is told before anything is changed. */
function missingPasswords(env: Record<string, string>, store: Store): string[] {
  const names = serviceNames.map((service) => passwordName(service, store))
  const missing = names.filter((name) => !env[name])
  const named = names.find((name) => env[name])
  return named ? missing.map((name) => `${name} is not set, and ${named} is: name all three or none`) : []
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
