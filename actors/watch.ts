/**
 * What only the stores can tell of a service, for its metrics: asked for every few seconds and beside the work, by statements
 * that are led to their rows by an index, or read a table that is nearly always empty. Every process of a service tells the
 * same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { countLetters } from '../streams/dead-letter.ts'
import { deadline } from '../streams/deadline.ts'
import type { Sql } from '../streams/postgres.ts'
import type { Metrics } from './metrics.ts'

const everyMs = 1_000
const answerWithinMs = 2_000

export type WatchOptions = {
  sql: Sql
  worker: { reachRedis(): Promise<unknown> }
  partitions: number
  metrics: Metrics
  /** What Postgres can tell of this service alone. */
  own?(): Promise<void>
}

/** Runs until `signal` is aborted. A store that does not answer is told as such; what it would have told stays as it was. */
export async function watchStores(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { worker, partitions, metrics } = options
  metrics.partitions.set(partitions)
  while (!signal.aborted) {
    const [postgres, redis] = await Promise.all([answers(askPostgres(options)), answers(worker.reachRedis())])
    if (signal.aborted) break
    metrics.storeUp('postgres').set(postgres)
    metrics.storeUp('redis').set(redis)
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
}

async function askPostgres({ sql, metrics, own }: WatchOptions): Promise<void> {
  metrics.deadLettersWaiting.set(await countLetters(sql))
  await own?.()
}

const answers = (asking: Promise<unknown>): Promise<0 | 1> =>
  deadline(answerWithinMs, 'ask the store', asking).then(
    () => 1,
    () => 0,
  )
