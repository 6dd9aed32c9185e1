/** Connections to Redis, one per purpose, that fail fast: whoever needs an answer retries, and knows why it waits. */
import './no-debug.ts'
import { once } from 'node:events'
import { clearInterval, setInterval } from 'node:timers'
import { Cluster, Redis } from 'ioredis'
import { redisAddress } from './redis-url.ts'

export type RedisClient = Redis | Cluster

/** Redis has answered, and refused: the connection is sound, and what other keys hold may be, too. */
export const isReplyError = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

/** No command waits longer than this for its reply. */
export const commandTimeoutMs = 2_000

/** A connection that brings nothing for so long, although it owes an answer, has died without a word: it is replaced. */
const silenceMaxMs = 2 * commandTimeoutMs
/** How often a connection is asked something, for otherwise an idle one owes nothing. */
const askEveryMs = 4_000

/**
 * @param url `redis[s]://…` for one server, `redis[s]+cluster://host:port,host:port` for a cluster.
 * @param name shown by `CLIENT LIST`.
 * @param blocking for reads that block, by far not as long as a connection may be silent.
 */
export function openRedis(url: string, name: string, { blocking = false } = {}): RedisClient {
  const common = {
    connectionName: name,
    connectTimeout: commandTimeoutMs,
    socketTimeout: silenceMaxMs,
    // A blocking reader watches its own time (`stream-listener.ts`).
    ...(blocking ? {} : { commandTimeout: commandTimeoutMs }),
    // A command fails with the connection that carried it: none is kept for later, none is sent twice.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // The client would let nobody catch the failure, and so end the process: who subscribes does so at each 'ready'.
    autoResubscribe: false,
    disableClientInfo: true,
    // Also keeps a process alive that disconnects while the connection is lost already: shorter than its time to end.
    disconnectTimeout: 250,
  }
  const retry = (attempt: number) =>
    Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) * (0.75 + Math.random() / 2)
  const { cluster, nodes, connection } = redisAddress(url)
  const client = cluster
    ? new Cluster(nodes, {
        redisOptions: { ...common, ...connection },
        // Names stay names: certificates are made out to them.
        dnsLookup: (address, found) => found(null, address),
        enableOfflineQueue: false,
        clusterRetryStrategy: retry,
        slotsRefreshTimeout: commandTimeoutMs,
      })
    : new Redis({ ...common, ...connection, ...nodes[0]!, retryStrategy: retry })
  // Every command reports its own failure; without a listener the event would end the process.
  client.on('error', () => {})
  const asking = setInterval(() => askEach(client), askEveryMs).unref()
  client.once('end', () => clearInterval(asking))
  return client
}

function askEach(client: RedisClient): void {
  for (const it of client.isCluster ? (client as Cluster).nodes() : [client as Redis])
    if (it.status === 'ready') it.ping().catch(() => {})
}

/** Gives a new client a moment to connect. It may well fail: then the first command says so. */
export async function untilReady(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return
  await once(client, 'ready', { signal: AbortSignal.timeout(commandTimeoutMs) }).catch(() => {})
}
