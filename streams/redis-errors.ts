/** Why Redis cannot be reached, in the words of the server or of the system. */
import './no-debug.ts'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { commandTimeoutMs, type RedisClient } from './redis.ts'
import { redisAddress } from './redis-url.ts'

/** A cluster's client says that it failed, and keeps the reason. */
export function reasonOfRedis(error: unknown): string {
  const { lastNodeError, message, code } = error as {
    lastNodeError?: unknown
    message?: string
    code?: string
  }
  if (lastNodeError) return reasonOfRedis(lastNodeError)
  return message || code || String(error)
}

/** What ioredis says of a command when the connection has ended: why it has, a cluster's client drops. */
const consequence = 'Connection is closed.'

/** Calls `report` at each attempt to connect that fails. @param url by which the client was opened. */
export function onUnreachable(redis: RedisClient, url: string, report: (reason: string) => void): void {
  let asking = false
  redis.on('error', async (error) => {
    const reason = reasonOfRedis(error)
    if (reason !== consequence) return report(reason)
    if (asking) return
    asking = true
    report((await reasonOfNodes(url)) ?? reason)
    asking = false
  })
}

/** Asks the nodes one by one. @returns why the last cannot be reached; undefined when one can. */
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
