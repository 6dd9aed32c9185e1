/** Connections to Postgres: one pool per purpose, each confined to its service's role and schema. */
import postgres from 'postgres'
import { abandonedAfterMs, watchedSockets } from './silence.ts'
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
   * For what can be computed again: commits do not wait for the disk. After a crash of Postgres the last of them may be
   * gone, offset and rows together, and the messages are taken in again.
   */
  replayable?: boolean
  /**
   * For a worker: how long a commit may wait for a lock, milliseconds. While it waits, it locks its offsets, and the leases
   * beside them cannot be renewed: it has to give up, and try again, well before they run out (`lease.ts`).
   */
  lockTimeoutMs?: number
  /** For migrations alone: how many partitions to seed. */
  partitions?: number
}

/**
 * Postgres gives up before we do (`worker.ts`), so that an outcome is known where it can be; and early enough for a connection
 * that says nothing for longer to be replaced within 15 s (`silence.ts`).
 */
const statementTimeoutMs = 5_000

const indexPlansOnly = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // Planning a commit anew for each batch would cost more than running it.
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
}

export function openPostgres(
  url: string,
  { schema, max, hot = false, replayable = false, lockTimeoutMs, partitions }: PostgresOptions,
): Sql {
  const ask = () => sql`select`
  const sql: Sql = postgres(url, {
    max,
    // A small constant: the default backoff leaves queries hanging for seconds after a storm of lost connections.
    backoff: () => 0.05,
    connect_timeout: 2,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => {},
    // The driver would ask each new connection for the types of arrays, and let nobody catch it when the server ends
    // the connection meanwhile: a restart of Postgres would end the process.
    fetch_types: false,
    types: { bigint: safeBigint, ...arrays },
    // A migration may take its time.
    ...(partitions ? {} : { socket: watchedSockets({ statementTimeoutMs, ask }) }),
    connection: {
      application_name: `bookreservation-${schema}`,
      role: schema,
      search_path: schema,
      ...(hot ? indexPlansOnly : {}),
      ...(replayable ? { synchronous_commit: 'off' } : {}),
      ...(lockTimeoutMs ? { lock_timeout: Math.ceil(lockTimeoutMs) } : {}),
      ...(partitions
        ? { 'bookreservation.partitions': partitions }
        : { statement_timeout: statementTimeoutMs, idle_session_timeout: abandonedAfterMs }),
    },
  } as unknown as postgres.Options<never>) as unknown as Sql
  return resendingUnsent(sql)
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
  return error instanceof postgres.PostgresError && typeof code === 'string' && /^(22|23)/.test(code)
}

/**
 * The connection, the server or its load failed, not the statement: the same may succeed a moment later.
 * Whether the statement took effect is unknown.
 */
export function isTransient(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && (connectionFaults.has(code) || /^(08|40|53|55P03|57|58)/.test(code))
}
const connectionFaults = new Set([
  // Of postgres.js.
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  // Of the system.
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])

/** Ends a pool; a connection that does not close in time is cut. */
export const closePostgres = (sql: Sql): Promise<void> => sql.end({ timeout: 2 })
