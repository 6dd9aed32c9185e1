/** Watches transient facts: the owners of partitions, whether events are published before their commit, and how busy the machine is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '../../actors/messages.ts'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { sequenceOf } from '../../streams/entry.ts'
import { streamKey } from '../../streams/partition.ts'
import { range } from '../doubles/eventually.ts'
import { partitions, type World } from './world.ts'

const lookEveryMs = 100
const streamsEveryMs = 20
const lateEveryMs = 20

export type OwnerSeen = {
  service: ServiceName
  partition: number
  epoch: number
  owner: string
  /** When it was first seen, milliseconds since the epoch. */
  at: number
}
/** An entry that was seen before its events were committed. */
export type Early = { at: number; partition: number; id: string; committed: number }

/** How long a timer of this process had to wait for its turn. */
export type Late = { at: number; ms: number }

export class Observer implements AsyncDisposable {
  readonly #seen = new Map<string, OwnerSeen>()
  /** Events that were on their stream before they were in the log. */
  readonly early: Early[] = []
  readonly late: Late[] = []
  readonly #stopping = new AbortController()
  readonly #watching: Promise<unknown>

  constructor(world: World) {
    const watching = [this.#watchOwners(world), this.#watchStreams(world), this.#watchMachine()]
    this.#watching = Promise.all(watching)
  }

  /** Each owner once per partition and epoch. */
  get owners(): OwnerSeen[] {
    return [...this.#seen.values()]
  }

  async #watchOwners({ sql }: World): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      for (const service of serviceNames) {
        const rows = await sql<Omit<OwnerSeen, 'at'>[]>`
          select ${service} as service, partition, epoch, owner from ${sql(service)}.mailbox
          where owner is not null`.catch(() => [])
        for (const row of rows) {
          const key = Object.values(row).join(' ')
          if (!this.#seen.has(key)) this.#seen.set(key, { ...row, at: Date.now() })
        }
      }
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }

  async #watchStreams({ admin, redisPrefix, sql }: World): Promise<void> {
    const { signal } = this.#stopping
    const keys = range(partitions).map((partition) => streamKey(redisPrefix, topics.stockEvents, partition))
    while (!signal.aborted) {
      // The streams first: commits in between cannot cause a false alarm.
      const ends = await Promise.all(keys.map((key) => admin.xrevrange(key, '+', '-', 'COUNT', 1))).catch(
        () => [],
      )
      const rows = await sql<{ partition: number; seq: number }[]>`
        select partition, seq from stock.mailbox`.catch(() => [])
      for (const { partition, seq } of rows) {
        const [end] = ends[partition] ?? []
        if (end && sequenceOf(end[0]) > seq)
          this.early.push({ at: Date.now(), partition, id: end[0], committed: seq })
      }
      await sleep(streamsEveryMs, undefined, { signal }).catch(() => {})
    }
  }

  async #watchMachine(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const startedAt = performance.now()
      await sleep(lateEveryMs, undefined, { signal }).catch(() => {})
      this.late.push({ at: Date.now(), ms: performance.now() - startedAt - lateEveryMs })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }
}
