/**
 * The record of actions of staff, operators and programs that are not events, and of their reads of a person's data.
 *
 * AU1. A row is written before its action, and the action fails if it cannot be written. So there is no action without a row,
 *      though there may be a row of an action that failed.
 * AU2. Customers' actions on their own data are not recorded, except an erasure. A program's reads of the reservations it made are
 *      not recorded. With identity off, nothing is.
 * AU3. Every other caller who is shown data of a person is in it, with the name of that person, or `*` for a list of several.
 * AU4. A read is noted once a minute: an open page of an operator reads the same again each second.
 */
import type { Context } from 'hono'
import type { Sql } from '../../streams/postgres.ts'
import { addressOf, headerOf } from '../http/node.ts'
import type { Log } from '../log.ts'
import { Retention } from '../retention.ts'
import { ownOf, whoOf } from './caller.ts'
import { forwardedAddress } from './person-limits.ts'

type Action = {
  /** The `operationId` of the call. */
  action: string
  /** The customer, or `everyone`; of what is no person's, the thing that it is about. */
  subject: string
  detail?: string | undefined
}

const repeatMs = 60_000
/** Reads that are remembered. Beyond it, all are noted again. */
const readsMax = 10_000

/** The subject of lists of several persons. */
export const everyone = '*'

export class Audit {
  readonly #sql: Sql
  readonly #hops: number
  /** When each read was noted, by its caller and itself. */
  readonly #reads = new Map<string, number>()

  constructor(sql: Sql, forwardedHops: number) {
    this.#sql = sql
    this.#hops = forwardedHops
  }

  /** Notes that a customer was erased, without their name: also if they did it themselves, and then without an address. */
  async erased(c: Context, action: string): Promise<void> {
    if (ownOf(c) === undefined) await this.note(c, { action, subject: '' })
    else
      await this.#sql`
        insert into audit (authtype, authid, roles, address, action, subject)
        values ('app_user', '', 'customer', '', ${action}, '')`
  }

  /** Notes an action, or that what belongs to a person was read: not if they did it themselves. */
  async note(c: Context, { action, subject, detail }: Action): Promise<void> {
    const who = whoOf(c)
    if (who === undefined || ownOf(c) !== undefined) return
    const address = forwardedAddress(headerOf(c, 'x-forwarded-for'), this.#hops, addressOf(c))
    const read =
      c.req.method === 'GET'
        ? JSON.stringify([who.authtype, who.authid, who.roles, address, action, subject, detail])
        : undefined
    if (read && performance.now() - (this.#reads.get(read) ?? Number.NEGATIVE_INFINITY) < repeatMs) return
    await this.#sql`
      insert into audit (authtype, authid, roles, address, action, subject, detail)
      values (${who.authtype}, ${who.authid}, ${who.roles.join(' ')}, ${address}, ${action}, ${subject},
        ${detail ?? null})`
    if (read === undefined) return
    if (this.#reads.size >= readsMax) this.#reads.clear()
    this.#reads.set(read, performance.now())
  }
}

export type AuditRow = {
  id: string
  at: Date
  authtype: string
  authid: string
  roles: string
  address: string
  action: string
  subject: string
  detail: string | null
}

export const auditPageMax = 1_000

/** Oldest first. @param from, before instants. @param after the id of the last row of the page before. */
export const auditRows = (sql: Sql, from: string, before: string, after: string): Promise<AuditRow[]> => sql<
  AuditRow[]
>`
  select id::text, at, authtype, authid, roles, address, action, subject, detail from audit
  where at >= ${from} and at < ${before} and id > ${after} order by audit.id limit ${auditPageMax}`

/** Deletes rows that are older than `AUDIT_DAYS`. */
export const auditRetention = (sql: Sql, days: number, log: Pick<Log, 'warn'>) =>
  new Retention({
    name: 'prune-audit',
    what: 'rows of the audit',
    everyMs: 3_600_000,
    batchMax: 5_000,
    prune: (max) => pruneAudit(sql, days, max),
    log,
  })

/** @returns how many rows were deleted. */
export async function pruneAudit(sql: Sql, olderThanDays: number, max: number): Promise<number> {
  const { count } = await sql`
    delete from audit where id in (
      select id from audit where at < now() - make_interval(days => ${olderThanDays}) order by id limit ${max})`
  return count
}
