import { setTimeout as sleep } from 'node:timers/promises'
import { Pulse } from '../streams/pulse.ts'
import type { Log } from './log.ts'

export type RetentionOptions = {
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
export class Retention {
  readonly pulse: Pulse
  readonly #options: RetentionOptions

  constructor(options: RetentionOptions) {
    this.pulse = new Pulse(options.name)
    this.#options = options
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const restMs = (await this.#prune()) ? 0 : this.#options.everyMs
      this.pulse.beat(restMs)
      if (restMs) await sleep(restMs, undefined, { signal }).catch(() => {})
    }
  }

  /** @returns whether there are more to delete at once. */
  async #prune(): Promise<boolean> {
    const { what, batchMax, prune, log } = this.#options
    try {
      return (await prune(batchMax)) === batchMax
    } catch (error) {
      // A failure is not worth an alarm: nothing is late before the next attempt.
      log.warn({ err: error }, `cannot delete old ${what}, will retry`)
      return false
    }
  }
}
