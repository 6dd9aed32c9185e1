/**
 * Reads of unpredictable cost: lists and searches. They have connections of their own and run a few at a time, so
 * that no number of them slows down other statements.
 *
 *   E1. At most `atOnce` statements run. No statement queues in the driver.
 *   E2. At most `waitingMax` reads wait for their turn, each for at most `waitMaxMs`; further reads are refused at
 *       once.
 *   E3. Postgres itself ends a statement after `statementMaxMs`, so an abandoned read costs nothing more.
 *   E4. A client that disconnects loses its turn.
 *
 * The driver's `cancel` is unsuitable: it opens a connection for each cancellation, may hit the next statement on the
 * same connection, and throws uncatchably when it cannot connect.
 */
import type { Context } from 'hono'
import { deadline } from '../../streams/deadline.ts'
import { openPostgres, type Sql } from '../../streams/postgres.ts'
import { Unavailable } from './problem.ts'

const waitingMax = 200
const waitMaxMs = 600
const statementMaxMs = 800
/** Time for Postgres to report that it ended a statement. */
const graceMs = 100

/** Connections for reads. Each statement is planned for its arguments: common and rare words need different plans. */
export const openReads = (url: string, schema: string, max: number): Sql =>
  openPostgres(url, { schema, max, statementTimeoutMs: statementMaxMs, customPlans: true })

/** Opens all connections: on a busy machine that takes as long as the first reads are allowed to. */
export const connectAll = async (sql: Sql): Promise<void> => {
  await Promise.all(Array.from({ length: sql.options.max }, () => sql`select`))
}

type Turn = { begin(): void }

export class Reads {
  readonly #sql: Sql
  readonly #atOnce: number
  readonly #turns = new Set<Turn>()
  #running = 0

  /**
   * @param sql from `openReads`.
   * @param atOnce at most the number of connections reserved for these reads.
   */
  constructor(sql: Sql, atOnce: number) {
    this.#sql = sql
    this.#atOnce = atOnce
  }

  /** Runs a read of a request. */
  for<T>(c: Context, read: (sql: Sql) => Promise<T>): Promise<T> {
    return this.run(read, c.req.raw.signal)
  }

  /**
   * Runs a read when its turn comes.
   * @param gone aborted when the client has disconnected.
   * @throws {Unavailable} when it takes too long, or too many reads wait already.
   */
  async run<T>(read: (sql: Sql) => Promise<T>, gone?: AbortSignal): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1
    else await this.#turn(gone)
    // In an async function, so that a synchronous throw gives its turn back too.
    const reading = (async () => await read(this.#sql))()
    // The next turn begins when Postgres is done, even if the client has stopped waiting.
    reading.then(this.#done, this.#done)
    try {
      return await deadline(statementMaxMs + graceMs, 'read from the database', reading)
    } catch (cause) {
      throw isGivenUp(cause) ? busy('It took too long.', cause) : cause
    }
  }

  async #turn(gone: AbortSignal | undefined): Promise<void> {
    if (this.#turns.size >= waitingMax) throw busy('Too many requests are waiting.')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const turn = { begin: resolve }
    const giveUp = () => {
      // At once: a turn passed to a read that has given up would be lost.
      this.#turns.delete(turn)
      reject(busy('Its turn did not come.'))
    }
    const timer = setTimeout(giveUp, waitMaxMs)
    gone?.addEventListener('abort', giveUp)
    this.#turns.add(turn)
    try {
      await promise
    } finally {
      this.#turns.delete(turn)
      clearTimeout(timer)
      gone?.removeEventListener('abort', giveUp)
    }
  }

  readonly #done = (): void => {
    const [next] = this.#turns
    if (next === undefined) {
      this.#running -= 1
      return
    }
    this.#turns.delete(next)
    next.begin()
  }
}

const isGivenUp = (error: unknown): boolean =>
  (error as { code?: unknown }).code === '57014' || (error as Error).name === 'DeadlineError'

const busy = (why: string, cause?: unknown) =>
  new Unavailable(`Too many searches and lists at the moment. ${why}`, { cause })
