/**
 * Checks every second that the stores answer, and reads the metrics that only they know whenever metrics are read: an idle process
 * without a monitor asks nothing. Each statement uses an index or reads a table that is nearly always empty. Every process of a
 * service reports the same values.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { countLetters } from '../streams/dead-letter.ts'
import { deadline } from '../streams/deadline.ts'
import { isTransient, type Sql } from '../streams/postgres.ts'
import type { Pulse } from '../streams/pulse.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

const everyMs = 1_000
const answerWithinMs = 2_000
/** How long a reader of the metrics waits for the tables. After that, the metrics keep their last values. */
const readWithinMs = 500

export type WatchOptions = {
  sql: Sql
  worker: { reachRedis(): Promise<unknown> }
  /** Set from Postgres each time it answers. */
  clock: { set(): Promise<void> }
  partitions: number
  metrics: Metrics
  log: Log
  pulse: Pulse
  /** Reads further metrics of this service from Postgres. */
  readMetrics?(): Promise<void>
}

/** Runs until `signal` is aborted. */
export async function watchStores(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { worker, clock, partitions, metrics, log, pulse } = options
  const ask = oneAtATime(() =>
    askTables(options).catch((error) => {
      // The check below reports that Postgres is down.
      if (!isTransient(error)) log.warn({ err: error }, 'cannot read metrics from the database')
    }),
  )
  metrics.partitions.set(partitions)
  metrics.storesBy(() => Promise.race([ask(), sleep(readWithinMs, undefined, { ref: false })]))
  while (!signal.aborted) {
    const stores = await Promise.allSettled([inTime(clock.set()), inTime(worker.reachRedis())])
    if (signal.aborted) break
    const [postgres, redis] = stores.map((it) => (it.status === 'fulfilled' ? 1 : 0))
    metrics.storeUp('postgres').set(postgres!)
    metrics.storeUp('redis').set(redis!)
    const failure = stores.find((it) => it.status === 'rejected')
    if (failure) pulse.fail(failure.reason, everyMs)
    else pulse.beat(everyMs)
    await sleep(everyMs, undefined, { signal }).catch(() => {})
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
