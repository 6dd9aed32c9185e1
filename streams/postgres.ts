/** Connections to Postgres: one pool per purpose, each limited to its service's role and schema. */
import postgres from 'postgres'
import { databaseAddress } from './database-url.ts'
import { session } from './session.ts'
import { abandonedAfterTicks, watchedSockets, watchTickMs } from './silence.ts'
import { statementTag } from './statement.ts'

export type Sql = postgres.Sql
export type Fragment = postgres.PendingQuery<postgres.Row[]>

export type PostgresOptions = {
  /** The service, whose role is set and whose schema is the only one searched. */
  schema: string
  /** Connections at most. Those that are not hot take turns, and each has its own caches: keep it low where statements follow one another. */
  max: number
  /**
   * For statements that run thousands of times a second. They are planned once, perhaps while the tables are empty and a
   * sequential scan looks cheap. These settings make the planner use the indexes that are right for millions of rows.
   */
  hot?: boolean
  /**
   * For a worker: how long a commit may wait for a lock, milliseconds. While it waits, it locks its offsets, so their leases
   * cannot be renewed: it must give up and try again well before they expire (`lockTimeoutOf`).
   */
  lockTimeoutMs?: number
  /** When Postgres ends a statement, milliseconds. */
  statementTimeoutMs?: number
  /** How often each connection is checked for silence, milliseconds (`silence.ts`). */
  tickMs?: number
  /** Plan each statement for its arguments, every time. */
  customPlans?: boolean
  /** Only for migrations: how many partitions to create. */
  partitions?: number
}

/**
 * Less than a worker waits (`worker.ts`), so that an outcome is known whenever it can be, and short enough that a dead
 * connection is replaced within 15 s (`silence.ts`).
 */
const workTimeoutMs = 5_000
/** `statementTimeoutMs` for statements that a request waits for: slightly longer than any request waits. */
export const requestTimeoutMs = 2_000

const indexPlansOnly = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_indexscan: 'on',
  enable_nestloop: 'on',
  // Planning a commit for each batch would cost more than running it.
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
}

/**
 * The driver reads missing options from the environment (PGTARGETSESSIONATTRS, PGPASSWORD, PGMAX_PIPELINE, …), where they may
 * be set for psql and another server. Some of them have no option that overrides them.
 */
function forgetEnvironment(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z_]+$/.test(name)) delete process.env[name]
}

export function openPostgres(url: string, settings: PostgresOptions): Sql {
  forgetEnvironment()
  const { max, hot } = settings
  const single = { ...settings, max: 1 }
  return statementTag(
    hot ? Array.from({ length: max }, () => openPool(url, single)) : [openPool(url, settings)],
  )
}

function openPool(url: string, settings: PostgresOptions): Sql {
  const { schema, max, hot = false, customPlans = false, lockTimeoutMs, partitions } = settings
  const { statementTimeoutMs = workTimeoutMs, tickMs = watchTickMs } = settings
  const { applicationName = 'bookreservation', options, ...address } = databaseAddress(url)
  const ask = () => sql`select`
  const sql = postgres({
    connect_timeout: 2,
    ...address,
    max,
    // Constant and small: the default backoff delays queries by seconds after many connections were lost.
    backoff: () => 0.05,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => {},
    // The driver would query the array types on each new connection. If the server ended the connection meanwhile, that
    // error could not be caught, so a restart of Postgres would end the process.
    fetch_types: false,
    types: { bigint: safeBigint, ...arrays },
    // A migration may take long.
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
  return sql
}

/** For the migration and for checks: as the user named by the URL, and without a schema. */
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

/** Counts and versions are far below 2^53, so a bigint is read as a number. Anything larger is a fault. */
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

/** The array types that statements use, by their ids in Postgres. Times and booleans travel as text. */
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

/**
 * JSON, unless it has an escape that Postgres reads otherwise: it is much faster to build than element by element. Both write a
 * quote and a backslash in the same way, so texts that hold JSON themselves are among them.
 */
function arrayLiteral(values: (string | number | null)[]): string {
  const json = values.every(isElement) ? JSON.stringify(values) : undefined
  const isLiteral = json !== undefined && !(json.includes('\\') && otherEscape.test(json))
  return `{${isLiteral ? json.slice(1, -1) : values.map(arrayElement).join(',')}}`
}

const otherEscape = /\\[^"\\]/

const isElement = (value: unknown) => typeof value === 'string' || Number.isFinite(value) || value === null

/** @throws {TypeError} on a value that Postgres could misread, such as `undefined`, which it would take for a text. */
function arrayElement(value: string | number | null): string {
  if (typeof value === 'string') return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
  if (typeof value === 'number') return String(value)
  if (value === null) return 'null'
  throw new TypeError(`Cannot send an array with an element of type ${typeof value}`)
}

function refuseArray(): never {
  throw new TypeError('Cannot read an array: select it as JSON')
}

/** Whether Postgres has answered with an error, so that the connection works. */
export const isPostgresAnswer = (error: unknown): boolean => error instanceof postgres.PostgresError

/** @returns the code of an error that Postgres has answered. */
export const sqlStateOf = (error: unknown): string | undefined =>
  error instanceof postgres.PostgresError ? error.code : undefined

/** Whether Postgres refuses the data itself: the same statement would always fail again. */
export function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return error instanceof postgres.PostgresError && typeof code === 'string' && /^(21|22|23|54)/.test(code)
}

/** Whether Postgres has refused the statement for a reason of its own, so that it had no effect. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && !isTransient(error)

/**
 * Whether the connection, the server or its load failed, and not the statement: it may succeed a moment later. Whether it
 * had an effect is unknown.
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
  '25006', // Read-only: a standby, a server in recovery or failing over, or one set to read-only because its disk is full.
  '25P03', // A time limit for idle transactions, and for transactions (25P04), that an operator has set.
  '25P04',
  '28', // Login refused. Passwords, roles and pg_hba.conf may change while the service runs: an operator must act.
  '3D000', // The database does not exist: it is being restored.
  '40', // Rolled back: a deadlock, a conflict, or the outcome is unknown.
  '53', // Out of disk, memory or connections, also those of the role or of the database.
  '55000', // The database takes no connections, or the server is in recovery.
  '55006', // In use, for example by a restore.
  '55P03', // A lock was not available in time.
  '57', // Canceled, timed out, starting up, shutting down, crashed, or the database was dropped.
  '58', // The system under Postgres failed, such as a disk.
  '72', // The snapshot is too old.
  'F0', // The server's configuration cannot be read.
]

/** Errors of postgres.js about its connection; of the operating system and its resolver; of sockets; of TLS. */
const connectionFaults =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|SASL_SIGNATURE_MISMATCH|E(?!RR_)[A-Z0-9_]+|ERR_(SOCKET|STREAM|SSL|TLS)_\w+|CERT_\w+|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_\w+)$/

/** Ends a pool. A connection that does not close in time is cut. */
export const closePostgres = (sql: Pick<Sql, 'end'>): Promise<void> => sql.end({ timeout: 2 })

/** Ends a pool with its block: `await using sql = closing(…)`. */
export const closing = <Pool extends Pick<Sql, 'end'>>(pool: Pool): Pool & AsyncDisposable =>
  Object.assign(pool, { [Symbol.asyncDispose]: () => closePostgres(pool) })
