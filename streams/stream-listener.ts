/**
 * Waits until a stream has entries after a position, and returns them.
 *
 * A plain `XREAD` moves no cursor, so a reply that is lost or received twice does no harm: the next read names its position
 * itself. The blocking read has a connection of its own and a watchdog, which replaces a connection that does not answer in
 * time, because a client may hang without noticing it.
 *
 * In a cluster one command cannot name streams of several slots, so the streams are polled there, quickly at first and then
 * at longer intervals.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import type { Row } from './entry.ts'
import { commandTimeoutMs, openRedis, type RedisClient } from './redis.ts'
import { isCluster } from './redis-url.ts'

export type Watched = { key: string; position: string }
/** By the key of the stream. */
type NewEntries = Map<string, Row[]>

/** The longest pause between two polls of a cluster. */
const pollMaxMs = 25
/** How long a connection may take to be set up. */
const setupMaxMs = 3 * commandTimeoutMs

export class StreamListener implements AsyncDisposable {
  readonly #url: string
  readonly #name: string
  #client: RedisClient
  #openedAt = 0

  constructor(url: string, name: string) {
    this.#url = url
    this.#name = name
    this.#client = this.#open()
  }

  /**
   * @param count entries per stream at most.
   * @returns the streams that have new entries; none when `blockMs` passed or `signal` was aborted first.
   */
  async wait(watched: Watched[], count: number, blockMs: number, signal: AbortSignal): Promise<NewEntries> {
    if (signal.aborted) return new Map()
    if (watched.length === 0) {
      await sleep(blockMs, undefined, { signal }).catch(() => {})
      return new Map()
    }
    return isCluster(this.#url)
      ? await this.#poll(this.#client as Cluster, watched, count, blockMs, signal)
      : await this.#block(this.#client as Redis, watched, count, blockMs, signal)
  }

  async #block(
    client: Redis,
    watched: Watched[],
    count: number,
    blockMs: number,
    signal: AbortSignal,
  ): Promise<NewEntries> {
    const keys = watched.map((it) => it.key)
    const positions = watched.map((it) => it.position)
    const { promise: giveUp, reject, resolve } = Promise.withResolvers<null>()
    const watchdog = setTimeout(
      () => reject(new Error('Cannot wait for entries: no answer')),
      blockMs + commandTimeoutMs,
    )
    const stop = () => resolve(null)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const reply = client.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', ...keys, ...positions)
      const found = await Promise.race([reply, giveUp])
      return new Map(found)
    } catch (error) {
      this.#renew()
      throw error
    } finally {
      clearTimeout(watchdog)
      signal.removeEventListener('abort', stop)
    }
  }

  async #poll(
    client: Cluster,
    watched: Watched[],
    count: number,
    blockMs: number,
    signal: AbortSignal,
  ): Promise<NewEntries> {
    const until = performance.now() + blockMs
    for (let pause = 1; ; pause = Math.min(pause * 2, pollMaxMs)) {
      const replies = await Promise.all(
        watched.map(({ key, position }) => client.xread('COUNT', count, 'STREAMS', key, position)),
      )
      const found: NewEntries = new Map(replies.flatMap((reply) => reply ?? []))
      if (found.size > 0 || performance.now() >= until || signal.aborted) return found
      await sleep(pause, undefined, { signal }).catch(() => {})
    }
  }

  #open(): RedisClient {
    this.#openedAt = performance.now()
    return openRedis(this.#url, this.#name, { blocking: !isCluster(this.#url) })
  }

  /** Replaces the connection, unless it is being set up and has time left. */
  #renew(): void {
    if (this.#client.status !== 'ready' && performance.now() - this.#openedAt < setupMaxMs) return
    this.#client.disconnect()
    this.#client = this.#open()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect()
  }
}
