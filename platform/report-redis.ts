/**
 * Logs once, when a service starts, what is wrong with its Redis. None of it ends the service: Postgres holds what
 * was accepted, and reservations are accepted while Redis is down.
 */
import { once } from 'node:events'
import { openRedis } from '../streams/redis.ts'
import { onUnreachable, reasonOfRedis } from '../streams/redis-errors.ts'
import { faultsOfRedis } from '../streams/requirements.ts'
import type { Log } from './log.ts'

/** Ends when Redis has answered, or when `signal` is aborted. Never rejects. */
export async function reportRedis(redisUrl: string, log: Log, signal: AbortSignal): Promise<void> {
  const redis = openRedis(redisUrl, 'bookreservation-check')
  let reported: string | undefined
  onUnreachable(redis, redisUrl, (reason) => {
    if (reason !== reported) log.warn({ reason }, 'cannot reach Redis (REDIS_URL)')
    reported = reason
  })
  try {
    await onceReady(redis, signal)
    for (const fault of await faultsOfRedis(redis)) log.warn(fault)
  } catch (error) {
    if (!signal.aborted) log.warn({ reason: reasonOfRedis(error) }, 'cannot check Redis')
  } finally {
    redis.disconnect()
  }
}

/** Node's `once` would reject on the first `error` event, and each failed connection attempt emits one. */
async function onceReady(redis: ReturnType<typeof openRedis>, signal: AbortSignal): Promise<void> {
  const ready = new Promise<void>((resolve) => redis.once('ready', resolve))
  if (redis.status !== 'ready' && !signal.aborted) await Promise.race([ready, once(signal, 'abort')])
  signal.throwIfAborted()
}
