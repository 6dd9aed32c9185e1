/**
 * Postgres's clock, as a process knows it.
 *
 * Clocks of machines disagree, and instants of two clocks cannot be compared. So every instant that is stored or sent is
 * Postgres's, including those that a process makes itself, such as the time in an id. An answer of Postgres was true at some
 * moment between question and answer. The estimate moves no further than that requires, so it becomes as exact as the
 * fastest answer, and follows a clock that is set.
 */
import { closePostgres, type Sql } from '../streams/postgres.ts'

export class StoreClock {
  readonly #sql: Sql
  /** Ahead of this process's monotonic clock. */
  #aheadMs = Number.NEGATIVE_INFINITY

  private constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Closes the connections when it throws: left open, they would keep a process alive that cannot start. */
  static async open(sql: Sql): Promise<StoreClock> {
    const clock = new StoreClock(sql)
    try {
      await clock.set()
      return clock
    } catch (error) {
      await closePostgres(sql)
      throw error
    }
  }

  /** Synchronizes with Postgres. @throws when Postgres does not answer. */
  async set(): Promise<void> {
    const askedAt = performance.now()
    const [row] = await this.#sql<{ at: Date }[]>`select clock_timestamp() as at`
    const answeredAt = performance.now()
    const at = row!.at.getTime()
    this.#aheadMs = Math.min(Math.max(this.#aheadMs, at - answeredAt), at - askedAt)
  }

  /** Bound: can be passed as a function. */
  readonly now = (): Date => new Date(performance.now() + this.#aheadMs)
}
