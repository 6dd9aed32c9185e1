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
import type { Gone, Wakeup } from '../../streams/wakeup.ts'
import type { BusyLines, Series } from '../busy-lines.ts'
import { Unavailable, within } from '../http/problem.ts'
import type { TimeLimit } from '../http/time-limit.ts'
import { traceIdOf } from '../http/trace.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { faultOf, isSampled, type Span, type Tracing } from '../tracing/tracing.ts'
import { uuidv7 } from '../uuid.ts'
import { commandOf } from './commands.ts'
import { GroupCommit, QueueFullError } from './group-commit.ts'
import { isUndecided, type Reservation, statuses } from './reservation.ts'
import * as store from './store.ts'

/** An insert that takes longer is given up on. A request waits for two of them at most: one that runs, and its own. */
const insertWithinMs = 900

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
  /** Absent where nothing traces, as a rule. */
  traceparent: string | undefined
  /** Determined by an idempotency key, if there is one; and the reservation that it has led to before. */
  reservationid: string | undefined
  known: Reservation | undefined
  /** Of the request. The wait for the decision does not count. */
  limit: Pick<TimeLimit, 'pause' | 'resume' | 'leftMs'>
}

export type DeskOptions = {
  sql: Sql
  hot: Sql
  sender: Pick<Sender, 'send'>
  wakeup: Wakeup<Answer>
  partitions: number
  resendAfterMs: number
  /** By Postgres's clock. */
  now(): Date
  log: Log
  lines: BusyLines
  metrics: Metrics
  tracing?: Tracing | undefined
}

/** A reservation on its way into the database, and the span of its being accepted. */
type Accepting = store.Accepted & { span?: Span | undefined }

export class Desk {
  readonly #options: DeskOptions
  readonly #inserts: GroupCommit<Accepting, store.Inserted>
  readonly #acceptedLines: Series
  readonly #canceledLines: Series

  constructor(options: DeskOptions) {
    this.#options = options
    this.#acceptedLines = options.lines.of('accepted')
    this.#canceledLines = options.lines.of('canceled')
    this.#inserts = new GroupCommit({
      commit: (rows) => this.#write(rows),
      groupMax: 5_000,
      atOnce: insertsAtOnce,
    })
  }

  /** The id of a reservation that is new: ids rise with time. */
  newId(): string {
    return uuidv7(this.#options.now().getTime())
  }

  #write(rows: Accepting[]): Promise<store.Inserted> {
    const { hot, resendAfterMs, tracing } = this.#options
    const written = within(insertWithinMs, 'write to the database', store.insert(hot, rows, resendAfterMs))
    return tracing ? insertTraced(tracing, rows, written) : written
  }

  /**
   * Accepts a reservation, and waits up to `waitMs` for its decision, or until the client is `gone`.
   * @throws {Unavailable} when the database does not take it in time. It may have been taken all the same.
   */
  async accept(asked: Asked, waitMs: number, gone?: Gone): Promise<Reservation> {
    const reservationid = asked.reservationid ?? this.newId()
    if (waitMs === 0) return asked.known ?? (await this.#insert(reservationid, asked))
    const { wakeup } = this.#options
    // Listening begins before the question is asked, so that the answer cannot be missed.
    using answered = wakeup.next(reservationid, waitMs, gone)
    const reservation = asked.known ?? (await this.#insert(reservationid, asked))
    return isUndecided(reservation.status)
      ? await this.#decided(reservation, answered, asked.limit, gone)
      : reservation
  }

  async #insert(reservationid: string, asked: Asked): Promise<Reservation> {
    const { partitions, log, metrics, tracing } = this.#options
    const { bookid, userid, traceparent = null } = asked
    const partition = partitionOf(bookid, partitions)
    const keyed = asked.reservationid !== undefined
    const row = { reservationid, keyed, bookid, userid, partition, traceparent }
    const askedAt = performance.now()
    const { at, accepted } = tracing
      ? await this.#addTraced(tracing, row)
      : await this.#inserts.add(row).catch(toUnavailable)
    if (keyed && !accepted?.has(reservationid)) return await this.#stored(reservationid)
    metrics.accepted.inc()
    const waitMs = performance.now() - askedAt
    metrics.acceptSeconds.observe(waitMs / 1_000)
    this.#acceptedLines.add({ id: reservationid, waitMs }, () =>
      log.info({ reservationid, bookid, traceid: traceIdOf(traceparent) }, 'accepted'),
    )
    this.#send('ReserveCopy', row)
    return { ...row, status: 'Requested', reason: null, created_at: at, updated_at: at }
  }

  /** The same request, made at the same time, was accepted first. */
  async #stored(reservationid: string): Promise<Reservation> {
    const stored = await store.find(this.#options.sql, reservationid)
    if (!stored) throw new Unavailable('The reservation cannot be read yet.')
    return stored
  }

  async #addTraced(tracing: Tracing, row: store.Accepted): Promise<store.Inserted> {
    const facts = { 'bookreservation.reservationid': row.reservationid, 'bookreservation.bookid': row.bookid }
    const span = isSampled(row.traceparent)
      ? tracing.begin('accept', { parent: row.traceparent, facts })
      : undefined
    try {
      const inserted = await this.#inserts.add({ ...row, span })
      span?.end()
      return inserted
    } catch (error) {
      span?.end(faultOf(error))
      return toUnavailable(error)
    }
  }

  async #decided(
    reservation: Reservation,
    answered: Promise<Answer | undefined>,
    limit: Asked['limit'],
    gone?: Gone,
  ): Promise<Reservation> {
    limit.pause()
    const answer = await answered
    limit.resume()
    if (answer) return { ...reservation, ...answer, updated_at: new Date(answer.updatedAt) }
    if (gone?.aborted) return reservation
    // Not heard in time: perhaps it is decided all the same. It is accepted in any case, and that is what is answered.
    const reading = store.find(this.#options.sql, reservation.reservationid)
    const row = await within(limit.leftMs / 2, 'read', reading).catch(() => undefined)
    return row ?? reservation
  }

  /**
   * Cancels a reservation, if its state allows it.
   * @returns the reservation as it now stands, whether cancelled by this call or not; undefined if there is none.
   */
  async cancel(reservationid: string, traceparent?: string): Promise<Reservation | undefined> {
    const { sql, resendAfterMs, wakeup, log } = this.#options
    const canceled = await store.cancel(sql, reservationid, traceparent ?? null, resendAfterMs)
    if (!canceled) return await store.find(sql, reservationid)
    this.#canceledLines.add({ id: reservationid }, () =>
      log.info({ reservationid, bookid: canceled.bookid, traceid: traceIdOf(traceparent) }, 'canceled'),
    )
    this.#send('ReleaseCopy', { ...canceled, traceparent: traceparent ?? null })
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
async function insertTraced<Result>(
  tracing: Tracing,
  rows: Accepting[],
  written: Promise<Result>,
): Promise<Result> {
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
    const result = await written
    span.end()
    return result
  } catch (error) {
    span.end(faultOf(error))
    throw error
  }
}

function toUnavailable(error: unknown): never {
  if (error instanceof QueueFullError) throw new Unavailable(error.message, { cause: error })
  throw error
}
