/** The only reader of the environment: strings in, one validated plain object out, every fault listed at once. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { databaseAddress, databaseExample } from '../streams/database-url.ts'
import { redisAddress, redisExample } from '../streams/redis-url.ts'
import { UrlError } from '../streams/url.ts'
import { emailRule, isWebhookUrl, parseEmail, parsePhone, parseSender, phoneRule } from './addresses.ts'

export const serviceNames = ['reservation', 'stock', 'notifier'] as const
export type ServiceName = (typeof serviceNames)[number]
export type Passwords = Record<ServiceName, string>

const defaultPorts: Record<ServiceName, number> = { reservation: 8081, stock: 8082, notifier: 8083 }
const defaultOpsPorts: Record<ServiceName, number> = { reservation: 9081, stock: 9082, notifier: 9083 }

const integer = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`
  return z.coerce.number(message).int(message).min(min, message).max(max, message)
}
/** Of a store: whatever of it would not be understood is refused here. No fault repeats a value. */
const storeUrl = (parse: (url: string) => unknown, example: string) =>
  z.string(`is not set: it must be a URL like ${example}`).superRefine((text, context) => {
    try {
      parse(text)
    } catch (error) {
      if (!(error instanceof UrlError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  })

/** Of anything else. */
const url = (protocols: string[], example: string) =>
  z
    .string(`is not set: it must be a URL like ${example}`)
    .refine(
      (text) => isUrl(text, protocols),
      `must be a URL like ${example}; in a user or password write %23 for #, %2F for /, %3F for ?, %40 for @ and %25 for %`,
    )
/** Of a server that is posted to. */
const webhookUrl = (example: string) =>
  z.string().refine(isWebhookUrl, `must be a URL like ${example}, without credentials`)
/** What `parse` makes of the text, if anything. */
const parsed = (parse: (text: string) => string | undefined, message: string) =>
  z
    .string()
    .transform((text) => parse(text))
    .pipe(z.string(message))
const sender = (text: string) => (parseSender(text) ? text : undefined)
const oneOf = <const Value extends string>(...values: Value[]) =>
  z.enum(values, `must be one of ${values.join(', ')}`)

/** Names of channels, in order. */
const channels = <const Name extends string>(...names: Name[]) => {
  const message = `must be channels among ${names.join(', ')}, separated by commas`
  return z
    .string()
    .transform((text) => text.split(',').map((it) => it.trim()))
    .pipe(z.array(z.enum(names, message), message))
}

/** Those by which customers can be told. */
const personal = () => channels('kakao', 'email', 'webhook', 'sms')

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

function isUrl(text: string, protocols: string[]): boolean {
  const url = URL.parse(text)
  // A # that is not escaped ends a password in the middle.
  if (url === null || !protocols.includes(url.protocol.slice(0, -1)) || text.includes('#')) return false
  return url.hostname !== '' && isEscaped(url.username) && isEscaped(url.password)
}

function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** A wildcard among them. Whether it is of this machine is seen when the service listens. */
const isHost = (text: string) =>
  isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0 || /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(text)

const headerPair = /^[\w!#$%&'*+.^`|~-]+\s*=[\x20-\x7e]+$/
const areHeaders = (text: string) =>
  text.split(',').every((pair) => headerPair.test(pair.trim()) && isEscaped(pair))

const databaseUrl = () => storeUrl(databaseAddress, databaseExample)

/** What is written as `name=value`, with commas between. */
const pairs = <Value extends z.ZodType>(name: RegExp, value: Value, message: string) =>
  z
    .string()
    .transform((text): unknown => Object.fromEntries(text.split(',').map(splitPair)))
    .pipe(z.record(z.string().regex(name, message), value, message))
    .optional()

function splitPair(text: string): [string, string] {
  const [name, ...value] = text.split('=')
  return [name!.trim(), value.join('=').trim()]
}

/** A number for some of the channels. */
function channelNumbers(min: number, max: number, example: string) {
  const message = `must be like ${example}, with numbers from ${min} to ${max}`
  const channel = /^(email|webhook|sms|kakao|slack|discord|teams|chat)$/
  return pairs(channel, z.coerce.number(message).min(min, message).max(max, message), message)
}

const templatePairs = 'must be like reserved=KA01TP…,cancelled=KA01TP…,reserved.en=KA01TP…'

/** Base64 of 24 to 64 bytes. */
const webhookSecret = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/

const schema = z.object({
  HOST: z
    .string()
    .refine(isHost, 'must be an address or a name of this machine, as in 127.0.0.1')
    .default('::'),
  PORT: integer(0, 65_535).optional(),
  OPS_PORT: integer(0, 65_535).optional(),
  DATABASE_URL: databaseUrl(),
  RESERVATION_DATABASE_URL: databaseUrl().optional(),
  STOCK_DATABASE_URL: databaseUrl().optional(),
  NOTIFIER_DATABASE_URL: databaseUrl().optional(),
  REDIS_URL: storeUrl(redisAddress, redisExample),
  REDIS_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be lower-case letters, digits and dashes')
    .default('br'),
  PARTITIONS: integer(1, 1024).default(4),
  LEASE_TTL_MS: integer(500, 120_000).default(5_000),
  RESEND_AFTER_MS: integer(100, 600_000).default(3_000),
  EVENT_RETENTION_DAYS: integer(1, 3650).default(90),
  DRAIN_MS: integer(0, 60_000).default(1_000),
  LOOP_LIMIT_MS: integer(1_000, 600_000).default(30_000),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  LOG_LINES_PER_SECOND: integer(0, 1_000_000).default(100),
  UNSUBSCRIBE_URL: url(['https'], 'https://library.example/unsubscribe?user={userid}&token={token}')
    .regex(/^[\x21-\x7e]{1,400}$/, 'must be printable ASCII, of 400 characters at most')
    .optional(),
  WEBHOOK_SECRETS: z
    .string()
    .transform((text) => text.split(/[\s,]+/))
    .pipe(z.array(z.string().regex(webhookSecret, 'must be like whsec_… with base64 of 24 to 64 bytes')))
    .optional(),
  SLACK_WEBHOOK_URL: webhookUrl('https://hooks.slack.com/services/…').optional(),
  DISCORD_WEBHOOK_URL: webhookUrl('https://discord.com/api/webhooks/…').optional(),
  TEAMS_WEBHOOK_URL: webhookUrl('https://….powerplatform.com/…').optional(),
  SOLAPI_URL: webhookUrl('https://api.solapi.com').default('https://api.solapi.com'),
  SOLAPI_API_KEY: z
    .string()
    .regex(/^[A-Za-z0-9]+$/, 'must be letters and digits')
    .optional(),
  SOLAPI_API_SECRET: z.string().optional(),
  SOLAPI_FROM: z
    .string()
    .regex(/^[0-9-]{3,20}$/, 'must be a phone number like 02-1234-5678')
    .optional(),
  KAKAO_PF_ID: z.string().optional(),
  KAKAO_TEMPLATES: pairs(/^[a-z-]+(\.[a-z]{2,3})?$/, z.string().min(1, templatePairs), templatePairs),
  KAKAO_SMS_FALLBACK: oneOf('true', 'false').default('true'),
  CHANNEL_RATES: channelNumbers(0.01, 10_000, 'email=50,slack=1'),
  CHANNEL_CONCURRENCY: channelNumbers(1, 1_000, 'email=10,webhook=64'),
  CHANNEL_TIMEOUTS_MS: channelNumbers(100, 300_000, 'email=30000,webhook=5000'),
  SMTP_URL: url(['smtp', 'smtps'], 'smtp://user:password@host:587').optional(),
  MAIL_FROM: parsed(sender, 'must be a sender like Library <no-reply@library.example>').prefault(
    'Book reservations <no-reply@bookreservation.example>',
  ),
  CHAT_WEBHOOK_URL: webhookUrl('https://chat.example/hook').optional(),
  PURCHASER_EMAIL: parsed(parseEmail, emailRule).optional(),
  CUSTOMER_CHANNELS: personal().prefault('kakao,email,webhook,sms'),
  CHANNELS_RESERVED: personal().optional(),
  CHANNELS_FAILED: personal().optional(),
  CHANNELS_CANCELLED: personal().optional(),
  PURCHASER_CHANNELS: channels('email', 'slack', 'discord', 'teams').prefault('email,slack,discord,teams'),
  OPERATOR_CHANNELS: channels('sms', 'email', 'slack', 'discord', 'teams').prefault(
    'sms,email,slack,discord,teams',
  ),
  OPERATOR_EMAIL: parsed(parseEmail, emailRule).optional(),
  OPERATOR_PHONE: parsed(parsePhone, phoneRule).optional(),
  DEFAULT_LOCALE: oneOf('ko', 'en').default('ko'),
  ALERT_TOKEN: z
    .string()
    .regex(/^[\x20-\x7e]{16,4000}$/, 'must be 16 to 4000 printable ASCII characters')
    .optional(),
  WEBHOOK_ALLOW_PRIVATE: oneOf('true', 'false').default('false'),
  NOTICE_DELAY_MS: integer(0, 60_000).default(300),
  NOTICE_GATHER_MS: integer(0, 86_400_000).default(300_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http', 'https'], 'http://collector:4318').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .refine(areHeaders, 'must be like name=value,name=value, in ASCII; in a value write %2C for a comma')
    .optional(),
  OTEL_TRACES_SAMPLER_ARG: share().default(1),
  RESERVATION_DATABASE_PASSWORD: password(),
  STOCK_DATABASE_PASSWORD: password(),
  NOTIFIER_DATABASE_PASSWORD: password(),
  RESERVATION_REDIS_PASSWORD: password(),
  STOCK_REDIS_PASSWORD: password(),
  NOTIFIER_REDIS_PASSWORD: password(),
})

export type Config = ReturnType<typeof toConfig>

/** The settings this project knows, as strings without blanks around them. An empty string counts as not set. */
export function readEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const entries = Object.keys(schema.shape).map((name) => [name, env[name]?.trim()] as const)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => Boolean(entry[1])))
}

/** Settings that mean nothing without others. */
const complete = schema.superRefine((it, context) => {
  const together = (names: (keyof typeof it)[], needed: (keyof typeof it)[]) => {
    const given = names.find((name) => it[name] !== undefined)
    if (given === undefined) return
    for (const name of needed.filter((name) => it[name] === undefined)) {
      context.addIssue({ code: 'custom', path: [name], message: `is not set, as ${given} needs it` })
    }
  }
  const account = ['SOLAPI_API_KEY', 'SOLAPI_API_SECRET', 'SOLAPI_FROM'] as const
  together([...account], [...account])
  together(['KAKAO_PF_ID'], ['KAKAO_TEMPLATES', ...account])
  together(['KAKAO_TEMPLATES'], ['KAKAO_PF_ID'])
  if (it.UNSUBSCRIBE_URL?.includes('{token}')) together(['UNSUBSCRIBE_URL'], ['WEBHOOK_SECRETS'])
})

/** @throws {ConfigError} listing every fault. */
export function toConfig(service: ServiceName, env: Record<string, string>) {
  const parsed = complete.safeParse(env)
  const faults = parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? []
  faults.push(...unintended(env))
  faults.push(...missingPasswords(env, 'DATABASE'), ...missingPasswords(env, 'REDIS'))
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  const it = parsed.data
  return {
    service,
    // Brackets belong to URLs.
    host: it.HOST.replace(/^\[(.*)\]$/, '$1'),
    port: it.PORT ?? defaultPorts[service],
    /** Of probes, metrics and docs. */
    opsPort: it.OPS_PORT ?? defaultOpsPorts[service],
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
    /** Of each series of lines of which every reservation makes one (`busy-lines.ts`). */
    logLinesPerSecond: it.LOG_LINES_PER_SECOND,
    /** For `npm run restored`, where services have databases of their own. */
    databaseUrls: {
      reservation: it.RESERVATION_DATABASE_URL,
      stock: it.STOCK_DATABASE_URL,
      notifier: it.NOTIFIER_DATABASE_URL,
    },
    /** Of a page that takes one-click unsubscriptions. */
    unsubscribeUrl: it.UNSUBSCRIBE_URL,
    /** With which webhooks are signed, newest first. */
    webhookSecrets: it.WEBHOOK_SECRETS ?? [],
    slackWebhookUrl: it.SLACK_WEBHOOK_URL,
    discordWebhookUrl: it.DISCORD_WEBHOOK_URL,
    teamsWebhookUrl: it.TEAMS_WEBHOOK_URL,
    /** The account that sends text messages and AlimTalks. */
    solapi: it.SOLAPI_API_KEY
      ? {
          url: it.SOLAPI_URL,
          apiKey: it.SOLAPI_API_KEY,
          apiSecret: it.SOLAPI_API_SECRET!,
          from: it.SOLAPI_FROM!,
        }
      : undefined,
    kakao: it.KAKAO_PF_ID
      ? {
          pfId: it.KAKAO_PF_ID,
          templates: it.KAKAO_TEMPLATES!,
          smsFallback: it.KAKAO_SMS_FALLBACK === 'true',
        }
      : undefined,
    /** Notices a second, under way at a time, and the longest that one may take: by channel, where it is not the usual. */
    channelRates: it.CHANNEL_RATES ?? {},
    channelConcurrency: it.CHANNEL_CONCURRENCY ?? {},
    channelTimeoutsMs: it.CHANNEL_TIMEOUTS_MS ?? {},
    smtpUrl: it.SMTP_URL,
    mailFrom: it.MAIL_FROM,
    chatWebhookUrl: it.CHAT_WEBHOOK_URL,
    purchaserEmail: it.PURCHASER_EMAIL,
    /** In which order the channels are tried by which a customer can be told who has chosen none. */
    customerChannels: {
      channels: it.CUSTOMER_CHANNELS,
      byKind: {
        reserved: it.CHANNELS_RESERVED,
        failed: it.CHANNELS_FAILED,
        cancelled: it.CHANNELS_CANCELLED,
      },
    },
    purchaserChannels: it.PURCHASER_CHANNELS,
    operatorChannels: it.OPERATOR_CHANNELS,
    operatorEmail: it.OPERATOR_EMAIL,
    operatorPhone: it.OPERATOR_PHONE,
    defaultLocale: it.DEFAULT_LOCALE,
    /** What whoever posts alerts has to show. */
    alertToken: it.ALERT_TOKEN,
    /** Lets customers' webhooks point at http and private addresses. For development and tests. */
    webhookAllowPrivate: it.WEBHOOK_ALLOW_PRIVATE === 'true',
    /** How long a notice rests before it is sent by e-mail or webhook, so that a cancellation right behind it supersedes it. */
    noticeDelayMs: it.NOTICE_DELAY_MS,
    /** How long requests to buy one book, and failures of one channel, are gathered into one notice. */
    noticeGatherMs: it.NOTICE_GATHER_MS,
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

/**
 * Characters that are invisible, and so unintended: they come along when a value is copied from a page. A line break
 * would change a secret, and in a header start the next one. Joiners are allowed, because names and emoji need them.
 */
const unseen = /[\p{Cc}\u2028\u2029\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u
const quoted = /^(["'`])[\s\S]*\1$/

function unintended(env: Record<string, string>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    // Secrets may be written one to a line.
    const text = name === 'WEBHOOK_SECRETS' ? value.replaceAll(/[\r\n\t]/g, ' ') : value
    if (unseen.test(text))
      return [`${name} must not contain line breaks, other control characters or invisible characters`]
    // A shell removes quotes; another reader of a settings file may not.
    return quoted.test(text)
      ? [`${name} is in quotes, which would become part of the value: remove them`]
      : []
  })
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
