/**
 * Group commit: concurrent items share one statement. The first item waits only until the requests that have already
 * arrived are read. Items that arrive while all allowed statements run go together into the next one. A single item costs
 * nothing extra; under load many items share the cost of one commit.
 */
import { setImmediate as pendingReads } from 'node:timers/promises'

export type GroupCommitOptions<Item, Result> = {
  /** Commits all items, or none. */
  commit(items: Item[]): Promise<Result>
  /** Items per statement, and items that may wait for one. Further items are rejected. */
  groupMax: number
  /** Statements that run at a time. */
  concurrency: number
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
   * @returns the result of the item's whole group, once it is committed.
   * @throws {QueueFullError} if too many items wait, or the error of `commit`, whose outcome may be unknown.
   */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.groupMax)
      return Promise.reject(new QueueFullError(this.#waiting.length))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (this.#running < this.#options.concurrency) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running++
    await pendingReads()
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
    super(`Cannot accept: ${waiting} requests are waiting for the database`)
  }
}
