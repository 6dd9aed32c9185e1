/**
 * Sends stock the messages that it does not answer with an event: a hold no longer names its customer (`erasure.ts`), or its
 * copy must not be handed over, because the customer is blocked (`standings.ts`). The statement that erases or blocks notes them.
 *
 * FO1. Without an answer, each note is sent several times within two days: Redis may lose a message, and an older process of
 *      stock takes it for one that needs nothing. Each message carries the state at the time it is sent.
 * FO2. The message is a `ClaimHold` with `forget` or `block`. Older processes would set aside a type that they do not know.
 */
import type { Log } from '../../platform/log.ts'
import { Rounds } from '../../platform/rounds.ts'
import type { Envelope } from '../../streams/envelope.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { Sender } from '../../streams/sender.ts'
import { loopCommand } from '../messages.ts'
import { source } from './commands.ts'
import { isBlocked } from './standings.ts'

/** Seconds from each time to the next. After the last, nothing is left to send. */
export const pausesS = [10, 60, 600, 21_600, 86_400]
const sentMax = 1_000
const idleMs = 10_000

type UnansweredOptions = {
  sql: Sql
  sender: Pick<Sender, 'send'>
  /** By Postgres's clock. */
  now(): Date
  log: Pick<Log, 'warn'>
  /** While false, what is due stays due. */
  maySend(): boolean
}

/** Woken when something is noted. */
export class Unanswered extends Rounds {
  readonly #options: UnansweredOptions

  constructor(options: UnansweredOptions) {
    super({ name: 'unanswered' })
    this.#options = options
  }

  protected async round(): Promise<number> {
    return this.#options.maySend() && (await this.sendSome()) >= sentMax ? 0 : idleMs
  }

  protected failed(error: unknown): number {
    this.#options.log.warn({ err: error }, 'cannot send erasures and blocks to stock, will retry')
    return idleMs
  }

  /** @returns how many were due, at most `sentMax` of each kind. */
  async sendSome(): Promise<number> {
    const { sql, sender, now } = this.#options
    const due = [...(await claimForgotten(sql, sentMax)), ...(await claimBlocks(sql, sentMax))]
    await Promise.all(due.map((it) => sender.send(envelopeOf(it, now()))))
    return due.length
  }
}

type Noted = { reservationid: string; bookid: string } & (
  | { forget: true }
  | { block: { until: string | null } | null }
)

export async function claimForgotten(sql: Sql, limit: number): Promise<Noted[]> {
  const rows = await sql<{ reservationid: string; bookid: string }[]>`
    with ${claimed(sql, sql`forgotten`, limit)}
    select reservationid, r.bookid from claimed join reservation r using (reservationid)`
  return rows.map((row) => ({ ...row, forget: true }))
}

export async function claimBlocks(sql: Sql, limit: number): Promise<Noted[]> {
  const rows = await sql<{ reservationid: string; bookid: string; blocked: boolean; until: Date | null }[]>`
    with ${claimed(sql, sql`block_note`, limit)}
    select reservationid, r.bookid, coalesce(${isBlocked(sql, sql`s`)}, false) as blocked, s.blocked_until as until
    from claimed join reservation r using (reservationid) left join standing s using (userid)`
  return rows.map(({ blocked, until, ...row }) => ({
    ...row,
    block: blocked ? { until: until?.toISOString() ?? null } : null,
  }))
}

/**
 * Parts of a statement: `claimed` has the ids in `table` that are due. They are postponed, and those that were sent often enough
 * are deleted. Concurrent processes claim different ones.
 */
const claimed = (sql: Sql, table: Fragment, limit: number): Fragment => sql`
  due as materialized (
    select reservationid from ${table} where send_at <= now()
    order by send_at limit ${limit} for update skip locked
  ), done as (
    delete from ${table} n using due where n.reservationid = due.reservationid and n.sends >= ${pausesS.length}
    returning n.reservationid
  ), postponed as (
    update ${table} n set sends = n.sends + 1,
      send_at = clock_timestamp() + (${pausesS}::int[])[n.sends + 1] * interval '1 second'
    from due where n.reservationid = due.reservationid and n.sends < ${pausesS.length}
    returning n.reservationid
  ), claimed as (
    select reservationid from done union all select reservationid from postponed
  )`

function envelopeOf(noted: Noted, at: Date): Envelope {
  const about = `${noted.reservationid}/${'forget' in noted ? 'forget' : 'block'}`
  return loopCommand(source, about, at, { type: 'ClaimHold', ...noted })
}
