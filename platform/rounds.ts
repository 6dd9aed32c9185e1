import { setTimeout as sleep } from 'node:timers/promises'
import { Pulse } from '../streams/pulse.ts'

type RoundsOptions = {
  /** Of its pulse. */
  name: string
  /** The share by which a pause is shorter or longer: processes that started together soon work at different times. */
  jitter?: number
  /** Whether a failed round is worth no alarm, because nothing is late before the next. */
  isCalm?: boolean
}

/** A loop that works in rounds and pauses between them. It can be woken. */
export abstract class Rounds {
  readonly pulse: Pulse
  readonly #jitter: number
  readonly #isCalm: boolean
  #woken = new AbortController()

  constructor({ name, jitter = 0, isCalm = false }: RoundsOptions) {
    this.pulse = new Pulse(name)
    this.#jitter = jitter
    this.#isCalm = isCalm
  }

  /** @returns the pause until the next round, milliseconds. */
  protected abstract round(signal: AbortSignal): Promise<number>

  /** Logs why a round has failed. @returns the pause until the next. */
  protected abstract failed(error: unknown): number

  /** Begins the next round at once, or as soon as the present one has ended. */
  wake(): void {
    this.#woken.abort()
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = new AbortController()
      const woken = AbortSignal.any([signal, this.#woken.signal])
      const pauseMs = (await this.#turn(signal)) * (1 + this.#jitter * (2 * Math.random() - 1))
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: woken }).catch(() => {})
    }
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const longest = 1 + this.#jitter
    try {
      const pauseMs = await this.round(signal)
      this.pulse.beat(pauseMs * longest)
      return pauseMs
    } catch (error) {
      const pauseMs = this.failed(error)
      if (this.#isCalm) this.pulse.beat(pauseMs * longest)
      else this.pulse.fail(error, pauseMs * longest)
      return pauseMs
    }
  }
}
