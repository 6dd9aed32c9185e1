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
import { faultOf, isSampled, type Span, type Tracing } from '../tracing/tracing.ts'
import { uuidv7 } from '../uuid.ts'
import { commandOf } from './commands.ts'
import { GroupCommit, QueueFullError } from './group-commit.ts'
import { type Reservation, statuses } from './reservation.ts'
import * as store from './store.ts'

/** A statement that takes longer is given up on. A request waits for two of them at most: one that runs, and its own. */
const statementWithinMs = 900

/** With two, one is at work in Postgres while the other waits for the disk. */
export const insertsAtOnce = 2

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
  sender: Pick<Sender, 'send'>
  wakeup: Wakeup<Answer>
  partitions: number
  resendAfterMs: number
  now(): Date
  log: Log
  metrics: Metrics
  tracing?: Tracing | undefined
}

/** A reservation on its way into the database, and the span of its being accepted. */
type Accepting = store.Accepted & { span?: Span | undefined }

export class Desk {
  readonly #options: DeskOptions
  readonly #inserts: GroupCommit<Accepting>

  constructor(options: DeskOptions) {
    this.#options = options
    this.#inserts = new GroupCommit({
      commit: (rows) => this.#write(rows),
      groupMax: 5_000,
      atOnce: insertsAtOnce,
    })
  }

  #write(rows: Accepting[]): Promise<void> {
    const { hot, resendAfterMs, tracing } = this.#options
    const written = within(statementWithinMs, 'write to the database', store.insert(hot, rows, resendAfterMs))
    return tracing ? insertTraced(tracing, rows, written) : written
  }

  /**
   * Accepts a reservation, and waits up to `waitMs` for its decision, or until the client is `gone`.
   * @throws {Unavailable} when the database does not take it in time. It may have been taken all the same.
   */
  async accept(asked: Asked, waitMs: number, gone?: AbortSignal): Promise<Reservation> {
    const reservationid = asked.reservationid ?? uuidv7()
    if (waitMs === 0) return asked.known ?? (await this.#insert(reservationid, asked))
    const { wakeup } = this.#options
    // Listening begins before the question is asked, so that the answer cannot be missed.
    using answered = wakeup.next(reservationid, waitMs, gone)
    const reservation = asked.known ?? (await this.#insert(reservationid, asked))
    return reservation.status === 'Requested' ? await this.#decided(reservation, answered, gone) : reservation
  }

  async #insert(reservationid: string, asked: Asked): Promise<Reservation> {
    const { partitions, now, log, metrics, tracing } = this.#options
    const { bookid, userid, traceparent } = asked
    const createdAt = now()
    const partition = partitionOf(bookid, partitions)
    const keyed = asked.reservationid !== undefined
    const row = { reservationid, keyed, bookid, userid, partition, traceparent, createdAt }
    const askedAt = performance.now()
    if (tracing) await this.#addTraced(tracing, row)
    else await this.#inserts.add(row).catch(toUnavailable)
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

  async #addTraced(tracing: Tracing, row: store.Accepted): Promise<void> {
    const facts = { 'bookreservation.reservationid': row.reservationid, 'bookreservation.bookid': row.bookid }
    const span = isSampled(row.traceparent)
      ? tracing.begin('accept', { parent: row.traceparent, facts })
      : undefined
    try {
      await this.#inserts.add({ ...row, span })
      span?.end()
    } catch (error) {
      span?.end(faultOf(error))
      toUnavailable(error)
    }
  }

  async #decided(
    reservation: Reservation,
    answered: Promise<Answer | undefined>,
    gone?: AbortSignal,
  ): Promise<Reservation> {
    const answer = await answered
    if (answer) return { ...reservation, ...answer, updated_at: new Date(answer.updatedAt) }
    if (gone?.aborted) return reservation
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

/** One statement writes the reservations of many requests: it has a span of its own, linked with those of all of them. */
async function insertTraced(tracing: Tracing, rows: Accepting[], written: Promise<void>): Promise<void> {
  const accepts = rows.flatMap((row) => row.span ?? [])
  if (accepts.length === 0) return await written
  const span = tracing.begin('insert reservation', {
    kind: 'client',
    links: accepts.map((it) => it.traceparent),
    facts: {
      'db.system.name': 'postgresql',
      'db.namespace': 'reservation',
      'db.query.summary': 'insert reservation',
      'db.operation.batch.size': rows.length,
    },
  })
  for (const accept of accepts) accept.link(span.traceparent)
  try {
    await written
    span.end()
  } catch (error) {
    span.end(faultOf(error))
    throw error
  }
}

function toUnavailable(error: unknown): never {
  if (error instanceof QueueFullError) throw new Unavailable(error.message, { cause: error })
  throw error
}
