/** Keeps a process running: if it exits unexpectedly, it is restarted with exponential backoff. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, type Exit } from './child.ts'

/** A supervised process. It is ready when its start resolves. */
export type Running = { exited: Promise<Exit>; stop(): Promise<unknown> }

export type Supervised<It extends Running> = {
  /** The running one; during a restart, the last one. */
  readonly current: It
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type SuperviseOptions<It extends Running> = {
  name: string
  /** @param last the one that ended, if this is not the first. */
  start: (last?: It) => Promise<It>
  say: (line: string) => void
  backoffMinMs?: number
  backoffMaxMs?: number
}

/** After running for this long, the backoff starts over. */
const stableAfterMs = 10_000

/** @throws the error of the first start: only a process that has run once is restarted. */
export async function supervise<It extends Running>(options: SuperviseOptions<It>): Promise<Supervised<It>> {
  const { name, start, say, backoffMinMs = 250, backoffMaxMs = 10_000 } = options
  const stopping = new AbortController()
  const { signal } = stopping
  let current = await start()

  async function keep(): Promise<void> {
    let backoffMs = backoffMinMs
    while (!signal.aborted) {
      const since = Date.now()
      const reason = describe(await current.exited)
      if (signal.aborted) return
      if (Date.now() - since > stableAfterMs) backoffMs = backoffMinMs
      say(`${name} exited with ${reason}; restarting it in ${backoffMs} ms`)
      backoffMs = await restart(backoffMs)
    }
  }

  /** @returns the wait before the next start. */
  async function restart(backoffMs: number): Promise<number> {
    for (let waitMs = backoffMs; ; waitMs = Math.min(waitMs * 2, backoffMaxMs)) {
      await sleep(waitMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return waitMs
      try {
        current = await start(current)
        if (signal.aborted) await current.stop()
        else say(`${name} is running again`)
        return Math.min(waitMs * 2, backoffMaxMs)
      } catch (error) {
        say(`${name} did not start: ${(error as Error).message}`)
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
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
