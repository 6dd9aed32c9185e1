/**
 * Postgres's clock, as a process knows it.
 *
 * Machines disagree about the time, and instants of two clocks cannot be compared. So every instant that is kept or sent
 * is one of Postgres's, also those that a process has to give by itself, such as the time in an id. What Postgres says was
 * so at some moment between question and answer: what is known is moved no further than that asks for, so it becomes as
 * exact as the quickest answer was, and follows a clock that is set.
 */
import { closePostgres, type Sql } from '../streams/postgres.ts'

export class StoreClock {
  readonly #sql: Sql
  /** Of the clock of this process that only ever goes on. */
  #aheadMs = Number.NEGATIVE_INFINITY

  private constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Ends the connections when it throws: left open, they would keep the process that does not start. */
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

  /** Sets it by Postgres again. @throws when Postgres does not answer. */
  async set(): Promise<void> {
    const askedAt = performance.now()
    const [row] = await this.#sql<{ at: Date }[]>`select clock_timestamp() as at`
    const answeredAt = performance.now()
    const at = row!.at.getTime()
    this.#aheadMs = Math.min(Math.max(this.#aheadMs, at - answeredAt), at - askedAt)
  }

  /** Passed on as it is. */
  readonly now = (): Date => new Date(performance.now() + this.#aheadMs)
}
