/** What a process of `speaker.ts` may be told to do, and what it reports. */
import type { Level } from '../log-buffer.ts'

export type Act = 'end' | 'crash' | 'flood' | 'flood and wait'

/** How many lines a flood has, in a second: more than any pipe and buffer hold. */
export const floodLines = 20_000

export type Report = {
  /** The longest that a turn of the event loop was late. */
  latestMs: number
  dropped: Partial<Record<Level, number>>
  /** From `process.exit`, or the last line, to the end of what is done then. */
  exitMs: number
}
