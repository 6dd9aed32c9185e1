/**
 * A value that is read again and again for all who watch it: one reading at a time, however many watch, and none while no page is
 * open.
 */
import { setTimeout as sleep } from 'node:timers/promises'

type WatchedOptions<Value> = {
  read(): Promise<Value>
  /** From the beginning of one reading to that of the next. */
  everyMs: number
  stopping: AbortSignal
}

export class Watched<Value> {
  readonly #options: WatchedOptions<Value>
  #next: Promise<Value> | undefined
  #begunAt = Number.NEGATIVE_INFINITY

  constructor(options: WatchedOptions<Value>) {
    this.#options = options
  }

  /** @returns the next reading, which all who wait at the same time share. */
  next(): Promise<Value> {
    this.#next ??= this.#read().finally(() => {
      this.#next = undefined
    })
    return this.#next
  }

  async #read(): Promise<Value> {
    const { read, everyMs, stopping } = this.#options
    const pauseMs = this.#begunAt + everyMs - performance.now()
    if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: stopping }).catch(() => {})
    this.#begunAt = performance.now()
    return await read()
  }
}
