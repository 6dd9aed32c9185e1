/**
 * Log lines of which each reservation makes one. In quiet times each is written. In a rush they would cost more than the
 * reservations, and no person reads thousands a second.
 *
 *   Y1  Of each series the first `perSecondMax` lines of a second are written as they are.
 *   Y2  The lines beyond that become one line at the end of their second: how many, by outcome, the longest wait, and the id
 *       that waited longest (the first one if no wait is known).
 *   Y3  Each line is either written or counted in exactly one such sum.
 *   Y4  A line that is only counted is never made: neither its facts nor its text.
 *
 * A sum that is due when the process ends is written then.
 */
import type { Log } from './log.ts'

const windowMs = 1_000

export type BusyLinesOptions = {
  log: Log
  /** Lines a second that are written of each series. */
  perSecondMax: number
}

export class BusyLines {
  readonly #options: BusyLinesOptions
  readonly #series: Series[] = []

  constructor(options: BusyLinesOptions) {
    this.#options = options
    process.on('exit', () => this.flush())
  }

  /** @param name as the sums say it. */
  of(name: string): Series {
    const series = new Series(name, this.#options)
    this.#series.push(series)
    return series
  }

  /** Writes the sums of this second without waiting for its end. */
  flush(): void {
    for (const it of this.#series) it.flush()
  }
}

/** What a sum keeps of a line. */
export type Line = {
  outcome?: string
  /** Of what the line is about. */
  id: string
  /** Milliseconds. */
  waitMs?: number
}

type Sum = {
  lines: number
  outcomes: Map<string, number>
  longestWaitMs: number | undefined
  example: string
}

export class Series {
  readonly #name: string
  readonly #log: Log
  readonly #perSecondMax: number
  readonly #enabled: boolean
  #since = Number.NEGATIVE_INFINITY
  #written = 0
  #sum: Sum | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(name: string, { log, perSecondMax }: BusyLinesOptions) {
    this.#name = name
    this.#log = log
    this.#perSecondMax = perSecondMax
    this.#enabled = log.isLevelEnabled('info')
  }

  /** @param write writes the line; called at once or never. */
  add(line: Line, write: () => void): void {
    if (!this.#enabled) return
    const now = performance.now()
    if (now - this.#since >= windowMs) {
      this.flush()
      this.#since = now
      this.#written = 0
    }
    if (this.#written < this.#perSecondMax) {
      this.#written += 1
      write()
    } else {
      this.#count(line)
      this.#timer ??= setTimeout(() => this.flush(), this.#since + windowMs - now).unref()
    }
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#sum) return
    const { outcomes, longestWaitMs, ...sum } = this.#sum
    this.#sum = undefined
    this.#log.info(
      {
        ...sum,
        outcomes: outcomes.size > 0 ? Object.fromEntries(outcomes) : undefined,
        longestWaitMs: longestWaitMs === undefined ? undefined : Math.round(longestWaitMs),
      },
      `${this.#name}, summed up`,
    )
  }

  #count({ outcome, id, waitMs }: Line): void {
    this.#sum ??= { lines: 0, outcomes: new Map(), longestWaitMs: undefined, example: id }
    const sum = this.#sum
    sum.lines += 1
    if (outcome !== undefined) sum.outcomes.set(outcome, (sum.outcomes.get(outcome) ?? 0) + 1)
    if (waitMs === undefined || waitMs <= (sum.longestWaitMs ?? Number.NEGATIVE_INFINITY)) return
    sum.longestWaitMs = waitMs
    sum.example = id
  }
}
