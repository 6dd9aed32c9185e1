/**
 * Log lines that every reservation produces. Under low load each is written. Under high load they would cost more
 * than the reservations, and no person reads thousands a second.
 *
 *   Y1. The first `perSecondMax` lines per second of each series are written as they are.
 *   Y2. Further lines become one summary at the end of their second: the count, the count by outcome, the longest
 *       wait, and the id that waited longest (the first one if no wait is known).
 *   Y3. Each line is either written or counted in exactly one summary.
 *   Y4. For a line that is only counted, neither its fields nor its text are built.
 *   Y5. Lines are written in the order in which they were added, after the work that added them: it may answer a customer.
 *
 * Pending lines and summaries are written when the process exits.
 */
import type { Log } from './log.ts'

const windowMs = 1_000

type BusyLinesOptions = {
  log: Log
  /** Lines per second that each series writes. */
  perSecondMax: number
}

export class BusyLines {
  readonly #options: BusyLinesOptions
  readonly #series: Series[] = []
  #pending: (() => void)[] = []

  constructor(options: BusyLinesOptions) {
    this.#options = options
    process.on('exit', () => this.flush())
  }

  /** @param name the name of the series in its summaries. */
  of(name: string): Series {
    const series = new Series(name, this.#options, (write) => this.#writeSoon(write))
    this.#series.push(series)
    return series
  }

  /** Writes what is pending, and the summaries of this second without waiting for its end. */
  flush(): void {
    this.writePending()
    for (const it of this.#series) it.flush()
  }

  /** For lines that must not wait for the end of this turn's work. */
  writePending(): void {
    const pending = this.#pending
    this.#pending = []
    for (const write of pending) write()
  }

  #writeSoon(write: () => void): void {
    if (this.#pending.push(write) === 1) setImmediate(() => this.writePending())
  }
}

/** The facts of a line that a summary uses. */
export type Line = {
  outcome?: string
  /** Id of the line's subject. */
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
  readonly #writeSoon: (write: () => void) => void
  #since = Number.NEGATIVE_INFINITY
  #written = 0
  #sum: Sum | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(name: string, { log, perSecondMax }: BusyLinesOptions, writeSoon: (write: () => void) => void) {
    this.#writeSoon = writeSoon
    this.#name = name
    this.#log = log
    this.#perSecondMax = perSecondMax
    this.#enabled = log.isLevelEnabled('info')
  }

  /** @param write writes the line; called once this turn's work is done, or never. */
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
      this.#writeSoon(write)
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
