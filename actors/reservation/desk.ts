/**
 * The desk: where reservations are accepted, cancelled and waited for.
 *
 * D1. A reservation is accepted when its row is committed, and not before. Everything after that may fail and is made
 *     up for: it belongs to a lot, written in the same statement, of which what stock does not answer is sent again
 *     (`resend.ts`).
 * D2. Accepting needs this service's Postgres and nothing else. Sending to stock is not waited for.
 */
import { z } from 'zod'
import { partitionOf } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Sender } from '../../streams/sender.ts'
import type { Wakeup } from '../../streams/wakeup.ts'
import { Unavailable, within } from '../http/problem.ts'
import { traceIdOf } from '../http/trace.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { uuidv7 } from '../uuid.ts'
import { commandOf } from './commands.ts'
import { GroupCommit, QueueFullError } from './group-commit.ts'
import { type Reservation, statuses } from './reservation.ts'
import * as store from './store.ts'

/** A statement that takes longer is given up on. A request waits for two of them at most: the one that runs, and its own. */
const statementWithinMs = 900

/** What is told to those who wait for a reservation. */
export const answerSchema = z.object({
  reservationid: z.uuid(),
  status: z.enum(statuses),
  reason: z.string().nullable(),
  updatedAt: z.iso.datetime(),
})
export type Answer = z.infer<typeof answerSchema>

export type Asked = {
  bookid: string
  userid: string
  traceparent: string
  /** Determined by an idempotency key, if there is one; and the reservation that it has led to before. */
  reservationid: string | undefined
  known: Reservation | undefined
}

export type DeskOptions = {
  sql: Sql
  hot: Sql
  sender: Sender
  wakeup: Wakeup<Answer>
  partitions: number
  resendAfterMs: number
  now(): Date
  log: Log
  metrics: Metrics
}

export class Desk {
  readonly #options: DeskOptions
  readonly #inserts: GroupCommit<store.Accepted>

  constructor(options: DeskOptions) {
    this.#options = options
    this.#inserts = new GroupCommit({
      commit: (rows) =>
        within(
          statementWithinMs,
          'write to the database',
          store.insert(options.hot, rows, options.resendAfterMs),
        ),
      groupMax: 5_000,
    })
  }

  /**
   * Accepts a reservation, and waits up to `waitMs` for its decision.
   * @throws {Unavailable} when the database does not take it in time. It may have been taken all the same.
   */
  async accept(asked: Asked, waitMs: number): Promise<Reservation> {
    const reservationid = asked.reservationid ?? uuidv7()
    if (waitMs === 0) return asked.known ?? (await this.#insert(reservationid, asked))
    const { wakeup } = this.#options
    // Listening begins before the question is asked, so that the answer cannot be missed.
    const answered = wakeup.next(reservationid, waitMs)
    const reservation = asked.known ?? (await this.#insert(reservationid, asked))
    return reservation.status === 'Requested' ? await this.#decided(reservation, answered) : reservation
  }

  async #insert(reservationid: string, { bookid, userid, traceparent }: Asked): Promise<Reservation> {
    const { partitions, now, log, metrics } = this.#options
    const createdAt = now()
    const partition = partitionOf(bookid, partitions)
    const row = { reservationid, bookid, userid, partition, traceparent, createdAt }
    const askedAt = performance.now()
    await this.#inserts.add(row).catch(toUnavailable)
    metrics.accepted.inc()
    metrics.acceptSeconds.observe((performance.now() - askedAt) / 1_000)
    log.info({ reservationid, bookid, traceid: traceIdOf(traceparent) }, 'accepted')
    this.#send('ReserveCopy', row)
    return {
      reservationid,
      bookid,
      userid,
      status: 'Requested',
      reason: null,
      created_at: createdAt,
      updated_at: createdAt,
    }
  }

  async #decided(reservation: Reservation, answered: Promise<Answer | undefined>): Promise<Reservation> {
    const answer = await answered
    if (answer) return { ...reservation, ...answer, updated_at: new Date(answer.updatedAt) }
    // Not heard in time: perhaps it is decided all the same.
    const { sql } = this.#options
    const row = await within(statementWithinMs, 'read', store.find(sql, reservation.reservationid)).catch(
      () => undefined,
    )
    return row ?? reservation
  }

  /**
   * Cancels a reservation, if its state allows it.
   * @returns the reservation as it now stands, whether cancelled by this call or not; undefined if there is none.
   */
  async cancel(reservationid: string, traceparent: string): Promise<Reservation | undefined> {
    const { sql, resendAfterMs, wakeup, log } = this.#options
    const canceled = await within(
      statementWithinMs,
      'cancel the reservation',
      store.cancel(sql, reservationid, traceparent, resendAfterMs),
    )
    if (!canceled) return within(statementWithinMs, 'read the reservation', store.find(sql, reservationid))
    log.info({ reservationid, bookid: canceled.bookid, traceid: traceIdOf(traceparent) }, 'canceled')
    this.#send('ReleaseCopy', { ...canceled, traceparent })
    wakeup.announce([answerOf(canceled)])
    return canceled
  }

  /** Calls `listener` with each change of a reservation, until the function returned is called. */
  listen(reservationid: string, listener: (answer: Answer) => void): () => void {
    return this.#options.wakeup.listen(reservationid, listener)
  }

  #send(type: 'ReserveCopy' | 'ReleaseCopy', row: Parameters<typeof commandOf>[1]): void {
    const { sender, now, log } = this.#options
    sender.send(commandOf(type, row, now())).catch((error) => {
      const { reservationid, bookid } = row
      log.debug({ err: error, reservationid, bookid }, 'not sent to stock: it will be sent again')
    })
  }
}

export const answerOf = ({ reservationid, status, reason, updated_at }: Reservation): Answer => ({
  reservationid,
  status,
  reason,
  updatedAt: updated_at.toISOString(),
})

function toUnavailable(error: unknown): never {
  if (error instanceof QueueFullError) throw new Unavailable(error.message, { cause: error })
  throw error
}
