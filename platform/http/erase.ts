import type { Context } from 'hono'
import { Unavailable } from './problem.ts'
import { TimeLimit } from './time-limit.ts'

/** Rows per statement. */
export const erasedMax = 1_000
/** A batch may take as long. */
const batchMs = 300

/** Erases batches until one has less than `erasedMax` rows. @returns how many rows. @throws {Unavailable} when no time is left. */
export async function eraseAll(c: Context, eraseBatch: () => Promise<number>): Promise<number> {
  const limit = TimeLimit.of(c)
  let erased = 0
  for (let count = erasedMax; count === erasedMax; erased += count) {
    if (limit.leftMs < batchMs)
      throw new Unavailable('A part is erased. Send the request again for the rest.')
    count = await eraseBatch()
  }
  return erased
}
