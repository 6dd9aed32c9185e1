/** A limit on waiting for a promise that may never settle. */

export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/**
 * Waits for `promise`, but no longer than `limitMs`.
 * @throws {DeadlineError} when the time is up. The action continues, and its outcome is unknown.
 */
export async function deadline<T>(limitMs: number, action: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new DeadlineError(`Cannot ${action}: no answer within ${limitMs} ms`)),
    limitMs,
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
