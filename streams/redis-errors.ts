/** Why Redis cannot be reached, as the server or the system reports it. */
import './no-debug.ts'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { commandTimeoutMs, type RedisClient } from './redis.ts'
import { redisAddress } from './redis-url.ts'

/** The error of a cluster's client has the reason in `lastNodeError`. */
export function reasonOfRedis(error: unknown): string {
  const { lastNodeError, message, code } = error as {
    lastNodeError?: unknown
    message?: string
    code?: string
  }
  if (lastNodeError) return reasonOfRedis(lastNodeError)
  return message || code || String(error)
}

/** The error of ioredis for commands after a connection has ended. A cluster's client drops the reason. */
const connectionEnded = 'Connection is closed.'

/** Calls `report` for each failed attempt to connect. @param url of the client. */
export function onUnreachable(redis: RedisClient, url: string, report: (reason: string) => void): void {
  let asking = false
  redis.on('error', async (error) => {
    const reason = reasonOfRedis(error)
    if (reason !== connectionEnded) return report(reason)
    if (asking) return
    asking = true
    report((await reasonOfNodes(url)) ?? reason)
    asking = false
  })
}

/** Connects to the nodes one by one. @returns why the last cannot be reached; undefined if one can. */
async function reasonOfNodes(url: string): Promise<string | undefined> {
  const { nodes, connection } = redisAddress(url)
  let reason: string | undefined
  for (const node of nodes) {
    const options = { ...connection, ...node, connectTimeout: commandTimeoutMs, retryStrategy: () => null }
    const redis = new Redis({ ...options, disableClientInfo: true })
    try {
      await once(redis, 'ready', { signal: AbortSignal.timeout(commandTimeoutMs) })
      return undefined
    } catch (error) {
      reason = reasonOfRedis(error)
    } finally {
      redis.on('error', () => {})
      redis.disconnect()
    }
  }
  return reason
}
