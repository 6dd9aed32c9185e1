/** Keeps a process running: if it exits unexpectedly, it is restarted with exponential backoff; on request, at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, type Exit } from './child.ts'

/** A supervised process. It is ready when its start resolves. */
export type Running = { exited: Promise<Exit>; stop(): Promise<unknown> }

export type Supervised<It extends Running> = {
  /** The running one; during a restart, the last one. */
  readonly current: It
  /** Stops it, and starts it again without a delay. If that fails, the next request tries again, and nothing else. */
  restart(): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type SuperviseOptions<It extends Running> = {
  name: string
  /** @param last the one that ended, if this is not the first. */
  start: (last?: It) => Promise<It>
  say: (line: string) => void
  backoffMinMs?: number
  backoffMaxMs?: number
}

/** After running for this long, the backoff starts over. */
const stableAfterMs = 10_000
/** The longest wait of a timer. */
const foreverMs = 2 ** 31 - 1

/** @throws the error of the first start: only a process that has run once is restarted. */
export async function supervise<It extends Running>(options: SuperviseOptions<It>): Promise<Supervised<It>> {
  const { name, start, say, backoffMinMs = 250, backoffMaxMs = 10_000 } = options
  const stopping = new AbortController()
  const { signal } = stopping
  /** Aborted by a request to restart; the next start replaces it. */
  let request = new AbortController()
  let current = await start()

  async function keep(): Promise<void> {
    let backoffMs = backoffMinMs
    while (!signal.aborted) {
      const since = Date.now()
      const reason = describe(await current.exited)
      if (signal.aborted) return
      const requested = request.signal.aborted
      if (requested || Date.now() - since > stableAfterMs) backoffMs = backoffMinMs
      if (!requested) say(`${name} exited with ${reason}; restarting it in ${backoffMs} ms`)
      backoffMs = await startAgain(backoffMs)
    }
  }

  /** @returns the wait before the next start. */
  async function startAgain(backoffMs: number): Promise<number> {
    let nextMs = backoffMs
    for (let waitMs = backoffMs; ; ) {
      const cut = AbortSignal.any([signal, request.signal])
      await sleep(waitMs, undefined, { signal: cut }).catch(() => {})
      if (signal.aborted) return nextMs
      const requested = request.signal.aborted
      request = new AbortController()
      nextMs = Math.min(nextMs * 2, backoffMaxMs)
      try {
        current = await start(current)
        if (signal.aborted || request.signal.aborted) await current.stop()
        else say(`${name} is running again`)
        return nextMs
      } catch (error) {
        say(`${name} did not start: ${(error as Error).message}`)
        waitMs = requested ? foreverMs : nextMs
      }
    }
  }

  const kept = keep()
  const stop = async () => {
    stopping.abort()
    await current.stop()
    await kept
  }
  return {
    get current() {
      return current
    },
    async restart() {
      request.abort()
      await current.stop()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
