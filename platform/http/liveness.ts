/**
 * Finds loops that hang, so that a restart can help: loops that make no progress, and loops that keep failing
 * although the stores accept new connections. While a store is down every loop fails, and a restart would not help.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pulse } from '../../streams/pulse.ts'

const lookEveryMs = 5_000

type LivenessOptions = {
  /** One per running loop. */
  pulses: () => Pulse[]
  /** How long a loop may be silent, or keep failing while the stores are reachable. */
  loopLimitMs: number
  /** Rejects when a store does not answer a new connection. Called only while a loop fails. */
  reach: () => Promise<unknown>
  /** A monotonic clock in milliseconds. */
  now?: () => number
}

type Hung = { name: string; why: string }

export class Liveness {
  readonly #options: Required<LivenessOptions>
  #reachableSince: number | undefined

  constructor(options: LivenessOptions) {
    this.#options = { now: () => performance.now(), ...options }
  }

  get pulses(): Pulse[] {
    return this.#options.pulses()
  }

  hung(): Hung[] {
    const { loopLimitMs, now } = this.#options
    const reachableMs = this.#reachableSince === undefined ? 0 : now() - this.#reachableSince
    return this.pulses.flatMap(({ name, silentMs, failingMs }) => {
      if (silentMs > loopLimitMs) return [{ name, why: `has been silent for ${Math.round(silentMs)} ms` }]
      const stuckMs = Math.min(failingMs ?? 0, reachableMs)
      if (stuckMs <= loopLimitMs) return []
      const why = `has kept failing for ${Math.round(stuckMs)} ms, although the stores accept new connections`
      return [{ name, why }]
    })
  }

  /** While a loop fails, checks whether the stores are reachable. */
  async look(): Promise<void> {
    const { reach, now } = this.#options
    const failing = this.pulses.some((it) => it.failingMs !== undefined)
    const reached =
      failing &&
      (await reach().then(
        () => true,
        () => false,
      ))
    if (!reached) this.#reachableSince = undefined
    else this.#reachableSince ??= now()
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.look()
    }
  }
}
