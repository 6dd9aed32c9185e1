/**
 * Reads whose cost nobody knows before: lists and searches. They have connections of their own and run a few at a time, so that
 * any number of them leaves all other statements alone.
 *
 *   R1  At most `atOnce` statements run. No statement waits in the driver behind another.
 *   R2  At most `waitingMax` wait for their turn, and none for longer than `waitMaxMs`; the next is refused at once.
 *   R3  A statement that takes longer than `statementMaxMs` is ended by Postgres itself, so what is given up costs nothing more.
 *   R4  A client that goes away loses its turn.
 *
 * The driver's own `cancel` would not do: it opens a connection for each cancellation, may hit the statement that comes next on
 * the same connection, and throws where nobody can catch it when that connection cannot be made.
 */
import { deadline } from '../../streams/deadline.ts'
import { openPostgres, type Sql } from '../../streams/postgres.ts'
import { Unavailable } from './problem.ts'

const waitingMax = 200
const waitMaxMs = 600
const statementMaxMs = 800
/** What Postgres needs to say that it ended a statement. */
const graceMs = 100

/** Connections for reads. Each plan is made for its arguments: a common word and a rare one are found by different ways. */
export const openReads = (url: string, schema: string, max: number): Sql =>
  openPostgres(url, { schema, max, statementTimeoutMs: statementMaxMs, customPlans: true })

/** Opens each of the connections: on a busy machine that takes as long as the first reads may. */
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
   * @param sql of `openReads`.
   * @param atOnce no more than the connections that are left to these reads alone.
   */
  constructor(sql: Sql, atOnce: number) {
    this.#sql = sql
    this.#atOnce = atOnce
  }

  /**
   * Runs a read when its turn comes.
   * @param gone is aborted when the client has gone away.
   * @throws {Unavailable} when it is not done in time, or too many wait already.
   */
  async run<T>(read: (sql: Sql) => Promise<T>, gone?: AbortSignal): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1
    else await this.#turn(gone)
    // What throws before it asks for anything gives its turn back too.
    const reading = (async () => await read(this.#sql))()
    // The next turn comes when Postgres is done with this one, whoever still waits for it.
    reading.then(this.#done, this.#done)
    try {
      return await deadline(statementMaxMs + graceMs, 'read from the database', reading)
    } catch (cause) {
      throw isGivenUp(cause) ? busy('It took too long.', cause) : cause
    }
  }

  async #turn(gone: AbortSignal | undefined): Promise<void> {
    if (this.#turns.size >= waitingMax) throw busy('Too many wait.')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const turn = { begin: resolve }
    const giveUp = () => {
      // At once: a turn that comes to what has given up would never be passed on.
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
  new Unavailable(`Too much is being searched and listed at this moment. ${why}`, { cause })
