/** A running worker of the service that counts. */
import { Worker, type WorkerOptions } from '../worker.ts'
import type { Before, Count } from './counter.ts'
import { silent } from './silent.ts'

export type WorkerOverrides = Partial<WorkerOptions<Count>> & {
  /** Another URL of the same database. */
  postgresUrl?: string
  before?: Before
}

/** A worker, and what it has reported. */
export class RunningWorker implements AsyncDisposable {
  readonly id: string
  readonly worker: Worker<Count>
  readonly said: string[] = []
  readonly fenceFailures: number[] = []
  readonly lags = new Map<number, number>()
  readonly #controller = new AbortController()
  readonly #running: Promise<void>
  readonly #close: () => Promise<void>
  #closed = false

  constructor(
    options: Omit<WorkerOptions<Count>, 'log' | 'telemetry'>,
    report: () => void,
    close: () => Promise<void>,
  ) {
    this.id = options.id
    this.#close = close
    const say = (facts: object, text: string) => {
      const { err, reason } = facts as { err?: Error; reason?: string }
      this.said.push([text, err?.message, reason].filter(Boolean).join(': '))
      report()
    }
    this.worker = new Worker({
      ...options,
      log: { info: say, warn: say, error: say },
      telemetry: {
        ...silent,
        batch: () => report(),
        committed: () => report(),
        deadLettered: () => report(),
        fenceFailed: (partition) => void this.fenceFailures.push(partition),
        lag: (partition, entries) => {
          this.lags.set(partition, entries)
          report()
        },
      },
    })
    this.#running = this.worker.run(this.#controller.signal)
  }

  has(text: string): boolean {
    return this.said.some((line) => line.includes(text))
  }

  /** Resolves once the worker has finished its batch and given its leases back. */
  stop(): Promise<void> {
    this.#controller.abort()
    return this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (!this.#closed) await this.#close()
    this.#closed = true
  }
}
