/**
 * Keeps the standings of customers in agreement with their reservations: at once that of a customer who was refused, because
 * the refusal may be wrong, and all others page by page.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../platform/log.ts'
import type { Sql } from '../../streams/postgres.ts'
import { Pulse } from '../../streams/pulse.ts'
import { reconcile, standingsAfter } from './standings.ts'

/** How often a page is reconciled. */
const intervalMs = 10_000
/** Standings per page. */
const pageMax = 500
/** Refused customers who may wait for a statement. Further ones are left to the pages. */
const refusedMax = 1_000

export class Pruning {
  readonly pulse = new Pulse('prune-standings')
  readonly #sql: Sql
  readonly #log: Log
  readonly #refused = new Set<string>()
  #running: Promise<void> | undefined

  constructor(sql: Sql, log: Log) {
    this.#sql = sql
    this.#log = log
  }

  /** Reconciles the standing of a customer soon. */
  prune(userid: string): void {
    if (this.#refused.size < refusedMax) this.#refused.add(userid)
    this.#running ??= this.#pruneRefused().finally(() => {
      this.#running = undefined
    })
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let after = ''
    while (!signal.aborted) {
      const delayMs = intervalMs * (0.75 + Math.random() / 2)
      try {
        const page = await standingsAfter(this.#sql, after, pageMax)
        await this.#reconcile(page)
        after = page.length < pageMax ? '' : page.at(-1)!
        this.pulse.beat(delayMs)
      } catch (error) {
        this.pulse.fail(error, delayMs)
        this.#log.warn({ err: error }, 'cannot reconcile standings, will retry')
      }
      await sleep(delayMs, undefined, { signal }).catch(() => {})
    }
    await this.#running
  }

  /** Never rejects. */
  async #pruneRefused(): Promise<void> {
    try {
      while (this.#refused.size > 0) {
        const userids = [...this.#refused]
        this.#refused.clear()
        await this.#reconcile(userids)
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'cannot reconcile standings of refused customers')
    }
  }

  async #reconcile(userids: string[]): Promise<void> {
    const corrected = await reconcile(this.#sql, userids)
    if (corrected.length > 0) this.#log.info({ count: corrected.length }, 'corrected standings')
  }
}
