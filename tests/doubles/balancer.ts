/** A load balancer that probes `/readyz` every 50 ms and sends requests to the ready processes in turn. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../harness/client.ts'

const lookEveryMs = 50
const lookLimitMs = 2_000

export class Balancer {
  readonly #clients: Client[] = []
  readonly #ready = new Set<Client>()
  readonly #signal: AbortSignal
  #turn = 0

  constructor(clients: Client[], signal: AbortSignal) {
    this.#signal = signal
    for (const client of clients) this.add(client)
  }

  /** Adds a process. */
  add(client: Client): void {
    this.#clients.push(client)
    this.#ready.add(client)
    void this.#watch(client)
  }

  /** The next ready process; if none is ready, any, whose response shows why. */
  next(): Client {
    const open =
      this.#ready.size > 0 ? this.#clients.filter((client) => this.#ready.has(client)) : this.#clients
    return open[this.#turn++ % open.length]!
  }

  /** Whether all are ready. */
  all(): boolean {
    return this.#ready.size === this.#clients.length
  }

  async #watch(client: Client): Promise<void> {
    while (!this.#signal.aborted) {
      const ok = await isReady(client)
      if (ok) this.#ready.add(client)
      else this.#ready.delete(client)
      await delay(lookEveryMs, undefined, { signal: this.#signal }).catch(() => {})
    }
  }
}

async function isReady(client: Client): Promise<boolean> {
  try {
    const answer = await fetch(`${client.url}/readyz`, { signal: AbortSignal.timeout(lookLimitMs) })
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}
