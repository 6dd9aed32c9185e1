/**
 * Which loops of a process hang, so that a restart may help: those that do not turn, and those that only fail although the
 * stores answer new connections. A store that is down makes every loop fail, and no restart helps.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pulse } from '../../streams/pulse.ts'

const lookEveryMs = 5_000

export type LivenessOptions = {
  /** One per loop that works at present. */
  pulses: () => Pulse[]
  /** How long a loop may be silent, or fail in vain. */
  loopLimitMs: number
  /** Rejects when a store does not answer a new connection. Asked only while a loop fails. */
  reach: () => Promise<unknown>
  /** A monotonic clock in milliseconds. */
  now?: () => number
}

export type Hung = { name: string; why: string }

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
      if (silentMs > loopLimitMs) return [{ name, why: `is silent for ${Math.round(silentMs)} ms` }]
      const inVainMs = Math.min(failingMs ?? 0, reachableMs)
      if (inVainMs <= loopLimitMs) return []
      const why = `only fails for ${Math.round(inVainMs)} ms, although the stores answer new connections`
      return [{ name, why }]
    })
  }

  /** Looks whether the stores can be reached, while a loop fails. */
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
