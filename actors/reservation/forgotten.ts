/**
 * Asks stock to forget the customers of reservations, which an erasure has noted (`erasure.ts`).
 *
 * FO1. Stock answers with no event, so each reservation is sent several times within two days: Redis may lose a message, and an
 *      older process of stock takes it for one that needs nothing.
 * FO2. The message is a `ClaimHold` with `forget`. Older processes would set aside a type that they do not know.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../platform/log.ts'
import type { Envelope } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import type { Sender } from '../../streams/sender.ts'
import { source } from './commands.ts'

/** Minutes from each time to the next. After the last, nothing is left to send. */
export const pausesMin = [1, 10, 60, 360, 1_440]
const sentMax = 1_000
const idleMs = 60_000

export type ForgottenOptions = {
  sql: Sql
  sender: Pick<Sender, 'send'>
  /** By Postgres's clock. */
  now(): Date
  log: Pick<Log, 'warn'>
  /** While false, what is due stays due. */
  maySend(): boolean
}

export class Forgotten {
  readonly pulse = new Pulse('forget-erased')
  readonly #options: ForgottenOptions
  #woken = new AbortController()

  constructor(options: ForgottenOptions) {
    this.#options = options
  }

  /** Sends what is due at once. */
  wake(): void {
    this.#woken.abort()
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = new AbortController()
      let more = false
      try {
        more = this.#options.maySend() && (await this.sendSome()) === sentMax
        this.pulse.beat(more ? 0 : idleMs)
      } catch (error) {
        this.pulse.fail(error, idleMs)
        this.#options.log.warn({ err: error }, 'cannot ask stock yet to forget erased customers')
      }
      const woken = AbortSignal.any([signal, this.#woken.signal])
      if (!more) await sleep(idleMs, undefined, { signal: woken }).catch(() => {})
    }
  }

  /** @returns how many were due, at most `sentMax`. */
  async sendSome(): Promise<number> {
    const { sql, sender, now } = this.#options
    const due = await claimForgotten(sql, sentMax)
    await Promise.all(due.map((it) => sender.send(forgetHold(it, now()))))
    return due.length
  }
}

type DueForgotten = { reservationid: string; bookid: string }

/** Claims what is due, and postpones it. Concurrent processes claim different ones. Those that were sent often enough are deleted. */
export const claimForgotten = (sql: Sql, limit: number): Promise<DueForgotten[]> => sql<DueForgotten[]>`
  with due as materialized (
    select reservationid from forgotten where send_at <= now()
    order by send_at limit ${limit} for update skip locked
  ), done as (
    delete from forgotten f using due where f.reservationid = due.reservationid and f.sends >= ${pausesMin.length}
    returning f.reservationid, f.bookid
  ), postponed as (
    update forgotten f set sends = f.sends + 1,
      send_at = clock_timestamp() + (${pausesMin}::int[])[f.sends + 1] * interval '1 minute'
    from due where f.reservationid = due.reservationid and f.sends < ${pausesMin.length}
    returning f.reservationid, f.bookid
  )
  select * from done union all select * from postponed`

function forgetHold({ reservationid, bookid }: DueForgotten, at: Date): Envelope {
  const time = at.toISOString()
  return {
    specversion: '1.0',
    id: `${reservationid}/forget/${time}`,
    source,
    type: 'ClaimHold',
    subject: bookid,
    time,
    data: { bookid, reservationid, forget: true },
  }
}
