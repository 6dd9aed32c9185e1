/** Renews a worker's leases beside its work (H1), and knows what they were when they were last renewed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Incarnation } from './incarnation.ts'
import { type Leases, renewLeases } from './lease.ts'
import type { Sql } from './postgres.ts'
import { Pulse } from './pulse.ts'
import type { RedisClient } from './redis.ts'

const renewEveryMaxMs = 1_000

export type LeaseKeeperOptions = {
  service: string
  /** Unique to the process. */
  id: string
  incarnation: Incarnation
  sql: Sql
  leaseTtlMs: number
  log: { warn(facts: object, text: string): void }
}

export class LeaseKeeper {
  readonly pulse: Pulse
  readonly #options: LeaseKeeperOptions
  readonly #redis: RedisClient
  #known: Leases | undefined
  #renewing: Promise<Leases> | undefined
  #workers = 0
  /** Rises whenever the known leases are dropped: a renewal that began before then is out of date. */
  #generation = 0
  /** Don't take over other workers' partitions before this (L4). Infinity while renewals fail. */
  #ownOnlyUntil = 0

  constructor(options: LeaseKeeperOptions, redis: RedisClient) {
    this.#options = options
    this.#redis = redis
    this.pulse = new Pulse(`${options.service}-leases`)
  }

  /** Whether no other worker of the service was alive at the last renewal. */
  get alone(): boolean {
    return this.#workers === 1
  }

  /** Drops what is known of the leases, so that `current` renews them. */
  forget(): void {
    this.#known = undefined
    this.#generation++
  }

  /** @returns the leases, renewed if they are not known; undefined while the database may have gone back (U2). */
  async current(): Promise<Leases | undefined> {
    if (this.#options.incarnation.isCurrent && this.#known) return this.#known
    await this.#renewing?.catch(() => {})
    this.#known = await this.#renewIfCurrent()
    return this.#known
  }

  /** Renews until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { leaseTtlMs, log } = this.#options
    while (!signal.aborted) {
      const generation = this.#generation
      const pauseMs = Math.min(renewEveryMaxMs, leaseTtlMs / 4)
      try {
        const leases = await this.#renewIfCurrent()
        if (generation === this.#generation) this.#known = leases
        this.pulse.beat(pauseMs)
      } catch (error) {
        this.pulse.fail(error, pauseMs)
        log.warn({ err: error }, 'cannot renew the leases')
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  /** U2. Before the first look, and with a database that has gone back, a worker counts no renewal and leases nothing. */
  async #renewIfCurrent(): Promise<Leases | undefined> {
    const { sql, incarnation } = this.#options
    if (!incarnation.isCurrent) await incarnation.look(sql, this.#redis)
    if (!incarnation.isCurrent) return undefined
    const leases = await this.#renew()
    return incarnation.isCurrent ? leases : undefined
  }

  /** One renewal at a time: of two at once, each would skip the partitions that the other is taking. */
  #renew(): Promise<Leases> {
    const { sql, id, leaseTtlMs, incarnation } = this.#options
    const before = incarnation.last
    this.#renewing ??= renewLeases(sql, id, leaseTtlMs, performance.now() < this.#ownOnlyUntil)
      .then((leases) => {
        if (this.#ownOnlyUntil === Number.POSITIVE_INFINITY)
          this.#ownOnlyUntil = performance.now() + leaseTtlMs
        this.#workers = leases.workers
        incarnation.counted(sql, this.#redis, leases.count, before)
        return leases
      })
      .catch((error) => {
        this.#ownOnlyUntil = Number.POSITIVE_INFINITY
        throw error
      })
      .finally(() => {
        this.#renewing = undefined
      })
    return this.#renewing
  }
}
