/**
 * Group commit: concurrent items share one statement. The first waits only until the requests that have come at the same
 * moment are read; those that arrive while as many statements run as may go together in the next. Alone it costs nothing,
 * and under load the cost of a commit is shared by many.
 */
import { setImmediate as restRead } from 'node:timers/promises'

export type GroupCommitOptions<Item, Result> = {
  /** Commits all items, or none. */
  commit(items: Item[]): Promise<Result>
  /** Items per statement, and so items waiting, at most: beyond that the caller is told at once. */
  groupMax: number
  /** Statements that run at a time. */
  atOnce: number
}

type Waiting<Item, Result> = { item: Item; resolve(result: Result): void; reject(error: unknown): void }

export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>
  #waiting: Waiting<Item, Result>[] = []
  #running = 0

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options
  }

  /**
   * Resolves once the item is committed.
   * @returns what came of all that were committed with it.
   * @throws {QueueFullError} when too many wait; otherwise what `commit` throws: then the outcome may be unknown.
   */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.groupMax)
      return Promise.reject(new QueueFullError(this.#waiting.length))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (this.#running < this.#options.atOnce) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running++
    await restRead()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        const result = await this.#options.commit(group.map((it) => it.item))
        for (const it of group) it.resolve(result)
      } catch (error) {
        for (const it of group) it.reject(error)
      }
    }
    this.#running--
  }
}

export class QueueFullError extends Error {
  override name = 'QueueFullError'
  constructor(waiting: number) {
    super(`Cannot accept: ${waiting} requests wait for the database`)
  }
}
