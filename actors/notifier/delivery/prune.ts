/** Deletes notices and alerts that are past their retention, a few at a time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../../../streams/postgres.ts'
import { Pulse } from '../../../streams/pulse.ts'
import { pruneAlerts } from '../operators/alerts.ts'
import { pruneNotices } from './queue.ts'

const batchSizeMax = 1_000
const restMs = 10_000

export class Pruning {
  readonly pulse = new Pulse('prune-notices')
  readonly #sql: Sql
  readonly #days: number
  readonly #log: { warn(facts: object, text: string): void }

  constructor(sql: Sql, days: number, log: { warn(facts: object, text: string): void }) {
    this.#sql = sql
    this.#days = days
    this.#log = log
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const more = await this.#prune()
      if (!more) await sleep(restMs, undefined, { signal }).catch(() => {})
    }
  }

  /** @returns whether there is more to prune at once. */
  async #prune(): Promise<boolean> {
    try {
      await pruneAlerts(this.#sql, this.#days)
      const more = (await pruneNotices(this.#sql, this.#days, batchSizeMax)) === batchSizeMax
      this.pulse.beat(more ? 0 : restMs)
      return more
    } catch (error) {
      this.pulse.fail(error, restMs)
      this.#log.warn({ err: error }, 'cannot prune notices')
      return false
    }
  }
}
