/**
 * Checks every second that the stores answer, and reads the metrics that only they know whenever metrics are read: an idle process
 * without a monitor asks nothing. Each statement uses an index or reads a table that is nearly always empty. Every process of a
 * service reports the same values.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { countLetters } from '../streams/dead-letter.ts'
import { deadline } from '../streams/deadline.ts'
import { isTransient, type Sql } from '../streams/postgres.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { Rounds } from './rounds.ts'

const everyMs = 1_000
const answerWithinMs = 2_000
/** How long a reader of the metrics waits for the tables. After that, the metrics keep their last values. */
const readWithinMs = 500

type WatchOptions = {
  sql: Sql
  worker: { reachRedis(): Promise<unknown> }
  /** Set from Postgres each time it answers. */
  clock: { set(): Promise<void> }
  partitions: number
  metrics: Metrics
  log: Log
  /** Reads further metrics of this service from Postgres. */
  readMetrics?: (() => Promise<void>) | undefined
}

export class StoreWatch extends Rounds {
  readonly #options: WatchOptions

  constructor(options: WatchOptions) {
    super({ name: 'watch-stores' })
    this.#options = options
    const { metrics, partitions, log } = options
    const ask = oneAtATime(() =>
      askTables(options).catch((error) => {
        // The check below reports that Postgres is down.
        if (!isTransient(error)) log.warn({ err: error }, 'cannot read metrics from the database')
      }),
    )
    metrics.partitions.set(partitions)
    metrics.storesBy(() => Promise.race([ask(), sleep(readWithinMs, undefined, { ref: false })]))
  }

  protected async round(signal: AbortSignal): Promise<number> {
    const { clock, worker, metrics } = this.#options
    const stores = await Promise.allSettled([inTime(clock.set()), inTime(worker.reachRedis())])
    if (signal.aborted) return 0
    const [postgres, redis] = stores.map((it) => (it.status === 'fulfilled' ? 1 : 0))
    metrics.storeUp('postgres').set(postgres!)
    metrics.storeUp('redis').set(redis!)
    const failure = stores.find((it) => it.status === 'rejected')
    if (failure) throw failure.reason
    return everyMs
  }

  /** The metrics say it. */
  protected failed(): number {
    return everyMs
  }
}

/** A locked table must not make repeated reads use up the connections that requests need. */
function oneAtATime(ask: () => Promise<void>): () => Promise<void> {
  let asking: Promise<void> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/** On failure the metrics keep their last values. */
async function askTables({ sql, metrics, readMetrics }: WatchOptions): Promise<void> {
  metrics.deadLettersWaiting.set(await countLetters(sql))
  await readMetrics?.()
}

const inTime = (asking: Promise<unknown>) => deadline(answerWithinMs, 'ask the store', asking)
