/** Connections to Postgres: one pool per purpose, each confined to its service's role and schema. */
import postgres from 'postgres'
import { databaseAddress } from './database-url.ts'
import { session } from './session.ts'
import { abandonedAfterTicks, watchedSockets, watchTickMs } from './silence.ts'
import { resendingUnsent } from './unsent.ts'

export type Sql = postgres.Sql
export type Fragment = postgres.PendingQuery<postgres.Row[]>

export type PostgresOptions = {
  /** The service: its role is assumed and its schema is the only one searched. */
  schema: string
  /** Connections at most. Where one statement follows the other, few: they take turns, and each has caches to keep warm. */
  max: number
  /**
   * For the statements that run thousands of times a second. Their plans are made once, perhaps while the tables
   * are empty, when a sequential scan looks cheap; with these settings the planner takes the indexes that will be
   * right when there are millions of rows.
   */
  hot?: boolean
  /**
   * For a worker: how long a commit may wait for a lock, milliseconds. While it waits, it locks its offsets, and the leases
   * beside them cannot be renewed: it has to give up, and try again, well before they run out (`lease.ts`).
   */
  lockTimeoutMs?: number
  /** When Postgres ends a statement, milliseconds. */
  statementTimeoutMs?: number
  /** How often each connection is looked at, milliseconds: it is replaced after so many looks without a word (`silence.ts`). */
  tickMs?: number
  /** Each statement is planned for its arguments, every time. */
  customPlans?: boolean
  /** For migrations alone: how many partitions to seed. */
  partitions?: number
}

/**
 * Postgres gives up before we do (`worker.ts`), so that an outcome is known where it can be; and early enough for a connection
 * that says nothing for longer to be replaced within 15 s (`silence.ts`).
 */
const workTimeoutMs = 5_000
/** For statements that a request waits for (`statementTimeoutMs`): longer than any request does, and not much longer. */
export const requestTimeoutMs = 2_000

const indexPlansOnly = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_indexscan: 'on',
  enable_nestloop: 'on',
  // Planning a commit anew for each batch would cost more than running it.
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
}

/**
 * What the driver is not told it takes from the environment (PGTARGETSESSIONATTRS, PGPASSWORD, PGMAX_PIPELINE, …), where whoever
 * uses psql has set it for something else. Some of it cannot be told: that any kind of server will do, for one.
 */
function forgetEnvironment(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z_]+$/.test(name)) delete process.env[name]
}

export function openPostgres(url: string, settings: PostgresOptions): Sql {
  forgetEnvironment()
  const { schema, max, hot = false, customPlans = false, lockTimeoutMs, partitions } = settings
  const { statementTimeoutMs = workTimeoutMs, tickMs = watchTickMs } = settings
  const { applicationName = 'bookreservation', options, ...address } = databaseAddress(url)
  const ask = () => sql`select`
  const sql: Sql = postgres({
    connect_timeout: 2,
    ...address,
    max,
    // A small constant: the default backoff leaves queries hanging for seconds after a storm of lost connections.
    backoff: () => 0.05,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => {},
    // The driver would ask each new connection for the types of arrays, and let nobody catch it when the server ends
    // the connection meanwhile: a restart of Postgres would end the process.
    fetch_types: false,
    types: { bigint: safeBigint, ...arrays },
    // A migration may take its time.
    ...(partitions ? {} : { socket: watchedSockets({ statementTimeoutMs, tickMs, ask }) }),
    connection: {
      ...(options ? { options } : {}),
      ...session,
      application_name: `${applicationName}-${schema}`,
      role: schema,
      search_path: schema,
      ...(hot ? indexPlansOnly : {}),
      ...(customPlans ? { plan_cache_mode: 'force_custom_plan' } : {}),
      ...(lockTimeoutMs ? { lock_timeout: Math.ceil(lockTimeoutMs) } : {}),
      ...(partitions
        ? { 'bookreservation.partitions': partitions }
        : { statement_timeout: statementTimeoutMs, idle_session_timeout: abandonedAfterTicks * tickMs }),
    },
  } as unknown as postgres.Options<never>) as unknown as Sql
  return resendingUnsent(sql)
}

/** As the user whom the URL names, who sees no schema: for the migration, and for checks. */
export function openAsAdministrator(url: string): postgres.Sql {
  forgetEnvironment()
  const { applicationName = 'bookreservation', options, ...address } = databaseAddress(url)
  return postgres({
    connect_timeout: 5,
    ...address,
    max: 1,
    onnotice: () => {},
    connection: {
      ...(options ? { options } : {}),
      ...session,
      application_name: `${applicationName}-administrator`,
    },
  } as unknown as postgres.Options<never>)
}

/** Counts and versions are far below 2^53, so a bigint column is read as a number; anything larger is a fault. */
const safeBigint = {
  to: 20,
  from: [20],
  serialize: (value: number | bigint) => String(value),
  parse(text: string): number {
    const value = Number(text)
    if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read bigint ${text}: not a safe integer`)
    return value
  },
}

/** The array types that statements take, by the ids that Postgres gives them. Times travel as text, booleans too. */
const arrays = Object.fromEntries(
  Object.entries({
    int2: 1005,
    int4: 1007,
    text: 1009,
    int8: 1016,
    float8: 1022,
    timestamptz: 1185,
    uuid: 2951,
  }).map(([name, oid]) => [
    `${name}[]`,
    { to: oid, from: [oid], serialize: arrayLiteral, parse: refuseArray },
  ]),
)

/** JSON spells what needs no escape as Postgres does, and is made much faster than element by element. */
function arrayLiteral(values: (string | number | null)[]): string {
  const json = values.every(isElement) ? JSON.stringify(values) : '\\'
  return `{${json.includes('\\') ? values.map(arrayElement).join(',') : json.slice(1, -1)}}`
}

const isElement = (value: unknown) => typeof value === 'string' || Number.isFinite(value) || value === null

/** @throws {TypeError} on what Postgres might take for something else, as it would the word `undefined` for a text. */
function arrayElement(value: string | number | null): string {
  if (typeof value === 'string') return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
  if (typeof value === 'number') return String(value)
  if (value === null) return 'null'
  throw new TypeError(`Cannot send an array with an element of type ${typeof value}`)
}

function refuseArray(): never {
  throw new TypeError('Cannot read an array: select it as JSON')
}

/** Postgres has answered, and refused: the connection is sound. */
export const isPostgresAnswer = (error: unknown): boolean => error instanceof postgres.PostgresError

/** Postgres refuses the data itself: the same statement will fail again, however often it is tried. */
export function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return error instanceof postgres.PostgresError && typeof code === 'string' && /^(21|22|23|54)/.test(code)
}

/** Postgres has refused the statement, for whatever reason of the statement's own: nothing of it was done. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && !isTransient(error)

/**
 * The connection, the server or its load failed, not the statement: the same may succeed a moment later.
 * Whether the statement took effect is unknown.
 */
export function isTransient(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string') return false
  return transientStates.some((it) => code.startsWith(it)) || connectionFaults.test(code)
}

/**
 * SQLSTATEs, and whole classes of them by their first two characters.
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const transientStates = [
  '08', // The connection failed.
  '25006', // Read-only: a standby, a server in recovery or failing over, or one that was set so because its disk is full.
  '25P03', // A time limit for idle transactions, and for transactions (25P04), that an operator has set.
  '25P04',
  '28', // The login is refused. Passwords, roles and pg_hba.conf change while the service runs: an operator has to act.
  '3D000', // The database is not there: it is being restored.
  '40', // Rolled back: a deadlock, a conflict, or the outcome is unknown.
  '53', // Out of disk, memory or connections, also those of the role or of the database.
  '55000', // The database takes no connections, or the server is in recovery.
  '55006', // In use: by whoever restores it, for example.
  '55P03', // A lock was not to be had in time.
  '57', // Cancelled, timed out, starting up, shutting down, crashed, or the database was dropped.
  '58', // The system under Postgres failed, such as a disk.
  '72', // The snapshot is too old.
  'F0', // The server's configuration cannot be read.
]

/** Errors of postgres.js about its connection; of the operating system and its resolver; of sockets; of TLS. */
const connectionFaults =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|SASL_SIGNATURE_MISMATCH|E(?!RR_)[A-Z0-9_]+|ERR_(SOCKET|STREAM|SSL|TLS)_\w+|CERT_\w+|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_\w+)$/

/** Ends a pool; a connection that does not close in time is cut. */
export const closePostgres = (sql: Sql): Promise<void> => sql.end({ timeout: 2 })
