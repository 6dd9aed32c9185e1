/**
 * Accepts and changes reservations, and waits for their decisions.
 *
 * AC1. A reservation is accepted when its row is committed, and not before. Any later step may fail: the same statement
 *     writes a lot, and commands of the lot that stock does not answer are resent (`resend.ts`).
 * AC2. Accepting needs this service's Postgres and nothing else. It does not wait until the command is sent to stock.
 *
 * A reservation that the customer's limit or a block refuses is committed as Failed by the same statement (`admission.ts`).
 */
import type { BusyLines, Series } from '../../platform/busy-lines.ts'
import { Unavailable, within } from '../../platform/http/problem.ts'
import type { TimeLimit } from '../../platform/http/time-limit.ts'
import { traceFacts } from '../../platform/http/trace.ts'
import type { Log } from '../../platform/log.ts'
import type { Metrics } from '../../platform/metrics.ts'
import type { Tracing } from '../../platform/tracing/tracing.ts'
import { uuidv7 } from '../../platform/uuid.ts'
import type { AuthContext } from '../../streams/envelope.ts'
import { partitionOf } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Sender } from '../../streams/sender.ts'
import type { IsGone, Wakeup } from '../../streams/wakeup.ts'
import { admissions, admit } from './admission.ts'
import { type Answer, answered, answerOf, isWhole } from './answer.ts'
import { commandOf } from './commands.ts'
import { GroupCommit, QueueFullError } from './group-commit.ts'
import {
  type Cancellation,
  commandIn,
  isFinal,
  isUndecided,
  type NewReservation,
  type Requestable,
  type Reservation,
  requestable,
  requested,
} from './reservation.ts'
import * as store from './store.ts'
import { tracedInserts } from './traced-inserts.ts'

/** Time limit of an insert. A request waits for at most two: the one that is running, and its own. */
const insertWithinMs = 900

/** Two, so that one runs while the other waits for the disk. */
export const insertsAtOnce = 2

type AcceptRequest = {
  wanted: NewReservation
  traceparent: string | undefined
  /** The caller, where callers are known. */
  auth?: AuthContext | undefined
  /** The id of the idempotency key, if there is one. */
  reservationid: string | undefined
  /** The reservation that the key has already created. */
  known: Reservation | undefined
  /** The request's time limit. Waiting for the decision does not count. */
  limit: Pick<TimeLimit, 'pause' | 'resume' | 'leftMs'>
}

type AcceptanceOptions = {
  sql: Sql
  hot: Sql
  sender: Pick<Sender, 'send'>
  wakeup: Wakeup<Answer>
  partitions: number
  resendAfterMs: number
  /** Active reservations per customer. 0: no limit. */
  activeMax: number
  /** Called with each customer whose standing may not be up to date. */
  prune?: ((userid: string) => void) | undefined
  /** By Postgres's clock. */
  now(): Date
  log: Log
  lines: BusyLines
  metrics: Metrics
  tracing?: Tracing | undefined
}

export class Acceptance {
  readonly #options: AcceptanceOptions
  readonly #inserts: Pick<GroupCommit<store.Accepted, store.Inserted>, 'add'>
  readonly #acceptedLines: Series
  readonly #refusedLines: Series
  readonly #changeLines: Map<Requestable, Series>

  constructor(options: AcceptanceOptions) {
    this.#options = options
    this.#acceptedLines = options.lines.of('accepted')
    this.#refusedLines = options.lines.of('refused')
    this.#changeLines = new Map(requestable.map((it) => [it, options.lines.of(it.toLowerCase())]))
    const { hot, resendAfterMs, activeMax, tracing } = options
    this.#inserts = admissions(activeMax, (max) => {
      const inserts = {
        commit: (rows: store.Accepted[]) =>
          within(insertWithinMs, 'write to the database', admit(hot, rows, resendAfterMs, max)),
        groupMax: 5_000,
        concurrency: insertsAtOnce,
      }
      return tracing ? tracedInserts(tracing, inserts) : new GroupCommit(inserts)
    })
  }

  /** Creates an id. Ids increase with time. */
  newId(): string {
    return uuidv7(this.#options.now().getTime())
  }

  /**
   * Accepts a reservation, then waits for its decision for up to `waitMs`, or until the client is gone.
   * @throws {Unavailable} if the insert fails or takes too long. The reservation may have been accepted nevertheless.
   */
  async accept(request: AcceptRequest, waitMs: number, isGone?: IsGone): Promise<Reservation> {
    const reservationid = request.reservationid ?? this.newId()
    if (waitMs === 0) return request.known ?? (await this.#insert(reservationid, request))
    const { wakeup } = this.#options
    // Listen before the command is sent, so that the answer cannot be missed. `try` rather than `using`, as in `http.ts`.
    const decision = wakeup.next(reservationid, waitMs, isGone)
    try {
      const reservation = request.known ?? (await this.#insert(reservationid, request))
      return isUndecided(reservation.status)
        ? await this.#withDecision(reservation, decision.answer, request.limit, isGone)
        : reservation
    } finally {
      decision[Symbol.dispose]()
    }
  }

  async #insert(reservationid: string, request: AcceptRequest): Promise<Reservation> {
    const row = this.#rowOf(reservationid, request)
    const startedAt = performance.now()
    const { at, accepted, refused } = await this.#inserts.add(row).catch(toUnavailable)
    if (row.keyed && !accepted?.has(reservationid)) return await this.#stored(reservationid)
    const refusal = refused?.get(reservationid)
    if (refusal) return this.#refused(row, refusal, at)
    this.#accepted(row, performance.now() - startedAt)
    return requested(row, at)
  }

  #rowOf(
    reservationid: string,
    { wanted, reservationid: key, traceparent, auth }: AcceptRequest,
  ): store.Accepted {
    const { bookid, userid, wait, overLimit } = wanted
    const row: store.Accepted = {
      reservationid,
      bookid,
      userid,
      wait,
      overLimit,
      keyed: key !== undefined,
      partition: partitionOf(bookid, this.#options.partitions),
      traceparent: traceparent ?? null,
    }
    return auth ? { ...row, ...auth } : row
  }

  #accepted(row: store.Accepted, waitMs: number): void {
    const { log, metrics } = this.#options
    metrics.accepted.inc()
    metrics.acceptSeconds.observe(waitMs / 1_000)
    this.#acceptedLines.add({ id: row.reservationid, waitMs }, () => {
      const { reservationid, bookid, traceparent } = row
      log.info({ reservationid, bookid, ...traceFacts(traceparent) }, 'accepted')
    })
    this.#send('ReserveCopy', row)
  }

  #refused(row: store.Accepted, refusal: store.Refusal, at: Date): Reservation {
    const { log, metrics, prune } = this.#options
    const { reservationid, bookid, userid } = row
    const { reason } = refusal
    metrics.decided(reason).inc()
    this.#refusedLines.add({ outcome: reason, id: reservationid }, () =>
      log.info({ reservationid, bookid, reason }, 'refused'),
    )
    if (reason === 'LimitReached') prune?.(userid)
    return { ...requested(row, at), ...refusal, status: 'Failed' }
  }

  /** For a concurrent request with the same key that was accepted first. */
  async #stored(reservationid: string): Promise<Reservation> {
    const stored = await store.find(this.#options.sql, reservationid)
    if (!stored) throw new Unavailable('The reservation cannot be read yet.')
    // If it ended while the key was repeated, the repetition took a slot that nothing frees.
    if (isFinal(stored.status)) this.#options.prune?.(stored.userid)
    return stored
  }

  async #withDecision(
    reservation: Reservation,
    decision: Promise<Answer | undefined>,
    limit: AcceptRequest['limit'],
    isGone?: IsGone,
  ): Promise<Reservation> {
    limit.pause()
    const answer = await decision
    limit.resume()
    const known = answer ? answered(reservation, answer) : reservation
    if (answer && isWhole(answer)) return known
    if (isGone?.()) return known
    // Without an announcement in time the reservation may be decided nevertheless. If it cannot be read, it is at least accepted.
    const reading = store.find(this.#options.sql, reservation.reservationid)
    const row = await within(limit.leftMs / 2, 'read', reading).catch(() => undefined)
    return row ?? known
  }

  /**
   * Sets a status, if the current one allows it.
   * @returns the current reservation, whether this call changed it or not; undefined if it does not exist.
   */
  async change(
    reservationid: string,
    status: Requestable,
    traceparent: string | null = null,
    cancellation: Cancellation = {},
    auth?: AuthContext,
  ): Promise<Reservation | undefined> {
    const { sql, resendAfterMs, activeMax, wakeup, log } = this.#options
    const limited = activeMax > 0
    const changed = await store.change(
      sql,
      reservationid,
      status,
      traceparent,
      resendAfterMs,
      cancellation,
      limited,
      auth,
    )
    if (!changed) return await store.find(sql, reservationid)
    const { bookid } = changed
    this.#changeLines
      .get(status)!
      .add({ id: reservationid }, () =>
        log.info({ reservationid, bookid, ...traceFacts(traceparent) }, status.toLowerCase()),
      )
    const command = commandIn[status]
    if (command) this.#send(command, { ...changed, traceparent, ...auth })
    wakeup.announce([answerOf(changed)])
    return changed
  }

  /** Calls `listener` with each change of a reservation. @returns a function that stops listening. */
  listen(reservationid: string, listener: (answer: Answer) => void): () => void {
    return this.#options.wakeup.listen(reservationid, listener)
  }

  #send(type: 'ReserveCopy' | 'ReleaseCopy', row: Parameters<typeof commandOf>[1]): void {
    const { sender, now, log } = this.#options
    sender.send(commandOf(type, row, now())).catch((error) => {
      const { reservationid, bookid } = row
      log.debug({ err: error, reservationid, bookid }, 'command not sent to stock: it will be resent')
    })
  }
}

function toUnavailable(error: unknown): never {
  if (error instanceof QueueFullError) throw new Unavailable(error.message, { cause: error })
  throw error
}
