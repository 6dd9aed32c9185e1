/**
 * Waits until a stream has entries after a position, and brings them.
 *
 * A plain `XREAD` moves no cursor, so a ring that is lost or heard twice means nothing: the next one names its position
 * itself. The blocking read has a connection of its own and a watchdog: one that does not answer in time is
 * thrown away, since a client may be wedged in a way that it cannot see.
 *
 * In a cluster one command cannot name streams of several slots, so there the streams are asked in turn, quickly at
 * first and then at longer intervals.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import type { Row } from './entry.ts'
import { commandTimeoutMs, openRedis, type RedisClient } from './redis.ts'
import { isCluster } from './redis-url.ts'

export type Watched = { key: string; position: string }
/** What is new, by stream. */
export type Rings = Map<string, Row[]>

/** In a cluster: the longest pause between two looks. */
const pollMaxMs = 25
/** How long a connection may be in the setting up. */
const setupMaxMs = 3 * commandTimeoutMs

export class Doorbell implements AsyncDisposable {
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
   * @returns the streams that have news; none when `blockMs` passed or `signal` was aborted first.
   */
  async wait(watched: Watched[], count: number, blockMs: number, signal: AbortSignal): Promise<Rings> {
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
  ): Promise<Rings> {
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
      const news = await Promise.race([reply, giveUp])
      return new Map(news)
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
  ): Promise<Rings> {
    const until = performance.now() + blockMs
    for (let pause = 1; ; pause = Math.min(pause * 2, pollMaxMs)) {
      const replies = await Promise.all(
        watched.map(({ key, position }) => client.xread('COUNT', count, 'STREAMS', key, position)),
      )
      const news: Rings = new Map(replies.flatMap((reply) => reply ?? []))
      if (news.size > 0 || performance.now() >= until || signal.aborted) return news
      await sleep(pause, undefined, { signal }).catch(() => {})
    }
  }

  #open(): RedisClient {
    this.#openedAt = performance.now()
    return openRedis(this.#url, this.#name, { blocking: !isCluster(this.#url) })
  }

  /** A connection that is being set up is given its time; any other is replaced. */
  #renew(): void {
    if (this.#client.status !== 'ready' && performance.now() - this.#openedAt < setupMaxMs) return
    this.#client.disconnect()
    this.#client = this.#open()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect()
  }
}
