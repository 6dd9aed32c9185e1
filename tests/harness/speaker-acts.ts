/** The actions of a `speaker.ts` process, and its reports. */
import type { Level } from '../../platform/log-buffer.ts'

export type Act = 'end' | 'crash' | 'flood' | 'flood and wait'

/** Lines of a flood, within a second: more than any pipe and buffer hold. */
export const floodLines = 20_000

export type Report = {
  /** The longest delay of a turn of the event loop. */
  latestMs: number
  dropped: Partial<Record<Level, number>>
  /** From `process.exit` or the last line to the end of the exit handlers. */
  exitMs: number
}
