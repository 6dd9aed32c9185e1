/** Polling for effects of other processes that send the test no signal. */
import { setTimeout as delay } from 'node:timers/promises'

export type Patience = {
  timeoutMs?: number
  message?: string
  /** Returns why waiting has become pointless, if it has. */
  hopeless?(): string | undefined
}

/** The pause grows with the wait, so that a long one takes no CPU time from what it waits for. */
const pauseAfter = (waitedMs: number) => Math.min(Math.max(20, waitedMs / 20), 250)

type Truthy<T> = Exclude<T, null | undefined | false | 0 | ''>

/**
 * Polls until the probe neither throws nor returns a falsy value.
 *
 * @returns the last value of the probe.
 * @throws after `timeoutMs` (10 s by default) or when it is hopeless, with the probe's last failure as cause.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, message = 'It never became true', hopeless }: Patience = {},
): Promise<Truthy<T>> {
  const startedAt = performance.now()
  for (;;) {
    let cause: unknown
    try {
      const value = await probe()
      if (value) return value as Truthy<T>
      cause = new Error(`The last answer was ${String(value)}`)
    } catch (error) {
      cause = error
    }
    const reason = hopeless?.()
    if (reason) throw new Error(`${message}: ${reason}`, { cause })
    const waitedMs = performance.now() - startedAt
    if (waitedMs > timeoutMs) {
      const last = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`${message} (waited ${timeoutMs} ms): ${last}`, { cause })
    }
    await delay(pauseAfter(waitedMs))
  }
}

/** Runs `task` for each item, at most `width` at a time, and returns the results in the order of the items. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  task: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length)
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await task(items[index]!, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  return results
}

/** `[0, 1, … count - 1]` */
export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
