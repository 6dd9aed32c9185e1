/** Follows a thing that has no stream of its own, until there is nothing left to follow. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

const everyMs = 1_000

/** Yields the thing as it is now, then each time that it has changed. @throws {ApiDown} */
export async function* polled<Value>(
  read: () => Promise<Value>,
  isOver: (value: Value) => boolean,
  signal: AbortSignal,
): AsyncGenerator<Value> {
  let last: Value | undefined
  while (!signal.aborted) {
    const value = await read()
    if (last === undefined || !isDeepStrictEqual(value, last)) yield value
    if (isOver(value)) return
    last = value
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
}
