/**
 * Keeps the standings of customers in agreement with their reservations: at once that of a customer who was refused, because
 * the refusal may be wrong, and all others page by page.
 */
import type { Log } from '../../platform/log.ts'
import { Rounds } from '../../platform/rounds.ts'
import type { Sql } from '../../streams/postgres.ts'
import { reconcile, standingsAfter } from './standings.ts'

/** How often a page is reconciled. */
const intervalMs = 10_000
/** Standings per page. */
const pageMax = 500
/** Refused customers who may wait for a statement. Further ones are left to the pages. */
const refusedMax = 1_000

export class Pruning extends Rounds {
  readonly #sql: Sql
  readonly #log: Log
  readonly #refused = new Set<string>()
  #running: Promise<void> | undefined
  #after = ''

  constructor(sql: Sql, log: Log) {
    super({ name: 'prune-standings', jitter: 0.25 })
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

  protected async round(): Promise<number> {
    const page = await standingsAfter(this.#sql, this.#after, pageMax)
    await this.#reconcile(page)
    this.#after = page.length < pageMax ? '' : page.at(-1)!
    return intervalMs
  }

  protected failed(error: unknown): number {
    this.#log.warn({ err: error }, 'cannot reconcile standings, will retry')
    return intervalMs
  }

  override async run(signal: AbortSignal): Promise<void> {
    await super.run(signal)
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
