/** Watches who owns what while it lasts: afterwards only the last owner can be seen. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceName, serviceNames } from '../config.ts'
import type { World } from './world.ts'

const lookEveryMs = 100

export type OwnerSeen = { service: ServiceName; partition: number; epoch: number; owner: string }

export class Observer implements AsyncDisposable {
  readonly #seen = new Map<string, OwnerSeen>()
  readonly #stopping = new AbortController()
  readonly #watching: Promise<void>

  constructor(world: World) {
    this.#watching = this.#watch(world)
  }

  /** Each owner once per partition and epoch. */
  get owners(): OwnerSeen[] {
    return [...this.#seen.values()]
  }

  async #watch({ sql }: World): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      for (const service of serviceNames) {
        const rows = await sql<OwnerSeen[]>`
          select ${service} as service, partition, epoch, owner from ${sql(service)}.mailbox
          where owner is not null`.catch(() => [])
        for (const row of rows) this.#seen.set(Object.values(row).join(' '), row)
      }
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }
}
