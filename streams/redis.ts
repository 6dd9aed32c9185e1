/** Connections to Redis, one per purpose. They fail fast, and the caller retries. */
import './no-debug.ts'
import { once } from 'node:events'
import { clearInterval, setInterval } from 'node:timers'
import { Cluster, Redis } from 'ioredis'
import { redisAddress } from './redis-url.ts'

export type RedisClient = Redis | Cluster

/** Whether Redis has answered with an error, so that the connection works, and other keys may work too. */
export const isReplyError = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/** No command waits longer than this for its reply. */
export const commandTimeoutMs = 2_000

/** A connection that owes an answer and receives nothing for this long is dead. It is replaced. */
const silenceMaxMs = 2 * commandTimeoutMs
/** How often each connection is pinged: an idle one would owe no answer. */
const pingEveryMs = 4_000

/**
 * @param url `redis[s]://…` for one server, `redis[s]+cluster://host:port,host:port` for a cluster.
 * @param name shown by `CLIENT LIST`.
 * @param blocking for reads that block for much less time than a connection may be silent.
 */
export function openRedis(url: string, name: string, { blocking = false } = {}): RedisClient {
  const common = {
    connectionName: name,
    connectTimeout: commandTimeoutMs,
    socketTimeout: silenceMaxMs,
    // A blocking reader has its own watchdog (`stream-listener.ts`).
    ...(blocking ? {} : { commandTimeout: commandTimeoutMs }),
    // A command fails with its connection: none is queued for later, none is sent twice.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // A failure of it could not be caught, and would end the process. Subscribers subscribe at each 'ready' instead.
    autoResubscribe: false,
    disableClientInfo: true,
    // Keeps a process alive that disconnects when the connection is already lost, so it must be short.
    disconnectTimeout: 250,
  }
  const retry = (attempt: number) =>
    Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) * (0.75 + Math.random() / 2)
  const { cluster, nodes, connection } = redisAddress(url)
  const client = cluster
    ? new Cluster(nodes, {
        redisOptions: { ...common, ...connection },
        // Keep host names: certificates are issued for them.
        dnsLookup: (address, found) => found(null, address),
        enableOfflineQueue: false,
        clusterRetryStrategy: retry,
        slotsRefreshTimeout: commandTimeoutMs,
      })
    : new Redis({ ...common, ...connection, ...nodes[0]!, retryStrategy: retry })
  // Every command reports its own failure; without a listener the event would end the process.
  client.on('error', () => {})
  const pinging = setInterval(() => pingEach(client), pingEveryMs).unref()
  client.once('end', () => clearInterval(pinging))
  return client
}

function pingEach(client: RedisClient): void {
  for (const it of client.isCluster ? (client as Cluster).nodes() : [client as Redis])
    if (it.status === 'ready') it.ping().catch(() => {})
}

/** Gives a new client a moment to connect. If it cannot, the first command fails. */
export async function untilReady(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return
  await once(client, 'ready', { signal: AbortSignal.timeout(commandTimeoutMs) }).catch(() => {})
}
