/**
 * One effect per idempotency key, however often the request is repeated.
 *
 * The key is not a cache of responses. It maps to the id of the effect (reservationid, commandid), and everything
 * behind the HTTP API recognizes an id that it has seen. So a crash between claiming the key and the effect leaves
 * nothing half done: the repeated request carries the same id.
 */
import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Sql } from '../../streams/postgres.ts'
import type { Log } from '../log.ts'
import { Retention } from '../retention.ts'
import { Problem } from './problem.ts'

/** The `idempotency-key` of a route's `headers`. */
export const idempotencyHeader = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
  .optional()
  .describe(
    'Repeating a request with the same key and payload within 7 days has one effect and returns the same resource.',
  )

export type Claim = {
  /** The operation, such as `POST /stocks`: a key can be used once per scope. */
  scope: string
  key: string
  /** The validated payload. The order of an object's keys does not matter. */
  payload: unknown
  /** The id for the key if it is new. */
  id: string
}

/**
 * Claims the key for this payload.
 * @returns the id of the key in its scope, the same on every repetition.
 * @throws {Problem} 422 when the key was claimed for another payload.
 */
export async function claimKey(sql: Sql, { scope, key, payload, id }: Claim): Promise<string> {
  const fingerprint = createHash('sha256').update(canonical(payload)).digest('hex')
  const claimed = await claim(sql, keyOf(scope, key), fingerprint, id)
  if (claimed.fingerprint !== fingerprint) {
    throw new Problem('idempotency-key-reused', {
      detail: 'This Idempotency-Key was already used with another payload.',
    })
  }
  return claimed.id
}

export async function isClaimed(sql: Sql, scope: string, key: string): Promise<boolean> {
  const [row] = await sql`select from idempotency where key = ${keyOf(scope, key)}`
  return row !== undefined
}

/** A concurrent claim waits here for the other; the no-op update then returns the other's fingerprint. */
async function claim(
  sql: Sql,
  key: string,
  fingerprint: string,
  id: string,
): Promise<{ id: string; fingerprint: string }> {
  const [row] = await sql<{ id: string; fingerprint: string }[]>`
    insert into idempotency as claimed (key, fingerprint, id)
    values (${key}, decode(${fingerprint}, 'hex'), ${id})
    on conflict (key) do update set key = claimed.key
    returning claimed.id, encode(claimed.fingerprint, 'hex') as fingerprint`
  return row!
}

/** How long a key is remembered. After that a repeated request is a new one. */
const rememberedHours = 7 * 24

/** Deletes old keys. */
export const keyRetention = (sql: Sql, log: Pick<Log, 'warn'>) =>
  new Retention({
    name: 'forget-keys',
    what: 'idempotency keys',
    everyMs: 600_000,
    batchMax: 5_000,
    prune: (max) => pruneKeys(sql, rememberedHours, max),
    log,
  })

/** Deletes at most `max` keys older than this. @returns how many. */
export async function pruneKeys(sql: Sql, olderThanHours: number, max: number): Promise<number> {
  // now(), not clock_timestamp(): only a stable value can be searched in an index.
  const { count } = await sql`
    delete from idempotency where key in (
      select key from idempotency where created_at < now() - make_interval(hours => ${olderThanHours})
      limit ${max})`
  return count
}

const repeatKey = 'idempotencyKey'

/** From now on a 503 names the key to repeat the request with, because the request may have had its effect. */
export const nameKeyToRepeatWith = (c: Context, key: string): void => c.set(repeatKey, key)

export const keyToRepeatWith = (c: Context): string | undefined => c.get(repeatKey)

/** The stored form of scope and key: a version 8 UUID (RFC 9562) from the SHA-256 of both. */
function keyOf(scope: string, key: string): string {
  const bytes = createHash('sha256').update(`${scope}\0${key}`).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** JSON with sorted object keys and without undefined members. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, it) =>
    it !== null && typeof it === 'object' && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  )
}
