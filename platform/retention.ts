import type { Log } from './log.ts'
import { Rounds } from './rounds.ts'

type RetentionOptions = {
  /** The name of its pulse. */
  name: string
  /** The rows that it deletes, for the log. */
  what: string
  everyMs: number
  /** The most rows that one statement deletes, so that none takes too long. */
  batchMax: number
  /** Deletes at most `max` rows. @returns how many. */
  prune(max: number): Promise<number>
  log: Pick<Log, 'warn'>
}

/** Deletes what is past its retention: one batch after the other while there are more, then at intervals. */
export class Retention extends Rounds {
  readonly #options: RetentionOptions

  constructor(options: RetentionOptions) {
    super({ name: options.name, isCalm: true })
    this.#options = options
  }

  protected async round(): Promise<number> {
    const { batchMax, prune, everyMs } = this.#options
    return (await prune(batchMax)) === batchMax ? 0 : everyMs
  }

  protected failed(error: unknown): number {
    const { what, everyMs, log } = this.#options
    log.warn({ err: error }, `cannot delete old ${what}, will retry`)
    return everyMs
  }
}
