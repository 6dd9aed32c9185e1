/**
 * A buffer of log lines, so that a service never waits for the reader of its log.
 *
 *   B1. Only `end` waits for the reader, for `lastWordsMs` at most.
 *   B2. The buffer holds at most `bytesMax`, including the overhead of each entry.
 *   B3. A line that does not fit displaces the oldest of the lowest level, never of a higher level than its own:
 *       `trace` and `debug` go first, then `info`, then `warn`. If there is none, the line itself is dropped. So the
 *       newest lines of each level arrive, including a fatal error and the last lines before the exit.
 *   B4. Lines arrive in the order in which they were logged.
 *   B5. Every dropped line is counted by level: at once by `dropped`, and in a log line (`behind`) when the reader is
 *       back, or at the end, at most once per `reportMs`.
 *   B6. A line arrives whole, even if the outlet takes a part of it much later.
 *
 * Each write wakes the reader, so lines up to `info` wait `gatherMs` for others. A higher one is written at the end of the
 * event-loop turn, with those before it; a fatal error at once. An outlet that takes nothing is tried again after
 * `retryMs`; one that fails (a full disk, a closed pipe) after `faultRetryMs`, because it may recover. No timer here keeps
 * a process alive.
 */
import { sleepSync } from './sleep-sync.ts'

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
/** Lowest first. */
export const levels: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

const infoRank = levels.indexOf('info')

/** The destination of lines. */
export type Outlet = {
  /**
   * Takes what it can without blocking.
   * @param bytes lines, or the rest of a line and more lines.
   * @param last the process is exiting: bytes taken now must be written without another turn of the event loop.
   * @returns how many bytes it took; 0 while it can take none.
   * @throws when they cannot be written.
   */
  write(bytes: Uint8Array, last: boolean): number
  /** Called at the exit: blocks until the bytes taken are written, or a short limit has passed. */
  settle?(): void
}

export type Dropped = Partial<Record<Level, number>>

type LogBufferOptions = {
  outlet: Outlet
  bytesMax?: number
  /** Called for each line that is dropped. Must not log. */
  dropped?(level: Level): void
  /** Called when the reader is back: logs how many lines were dropped since the last call. */
  behind?(lines: Dropped): void
}

/** About 800 lines: four seconds at the most that `busy-lines.ts` allows. */
const logBytesMax = 256 * 1024
/** The most that is written at once. A line in a chunk is no longer displaced. */
const chunkBytesMax = 16 * 1024
const entryBytes = 128
const gatherMs = 20
const retryMs = 20
const faultRetryMs = 1_000
const reportMs = 1_000
/** How long an exiting process waits for the reader of its last lines. */
export const lastWordsMs = 500
const lastRetryMs = 5

type Entry = { place: number; line: string; bytes: number }

export class LogBuffer {
  readonly #outlet: Outlet
  readonly #bytesMax: number
  readonly #dropped: LogBufferOptions['dropped']
  readonly #behind: LogBufferOptions['behind']
  /** One per level, lowest first. */
  readonly #queues = levels.map(() => new Queue())
  /** Size of the lines in the queues. */
  #bytes = 0
  #placed = 0
  /** The part of the current chunk that the outlet has not taken yet. */
  #rest: Uint8Array = nothing
  /** Lines dropped since `behind` was last called. */
  #missed: Dropped | undefined
  #gathering: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined
  #report: NodeJS.Timeout | undefined
  #endsAt: number | undefined

  constructor({ outlet, bytesMax = logBytesMax, dropped, behind }: LogBufferOptions) {
    this.#outlet = outlet
    this.#bytesMax = bytesMax
    this.#dropped = dropped
    this.#behind = behind
  }

  /** Size of the buffered lines, as B2 counts it. */
  get bytes(): number {
    return this.#bytes + this.#rest.length
  }

  /** @param line ends with a line feed. */
  add(level: Level, line: string): void {
    const rank = levels.indexOf(level)
    const bytes = Buffer.byteLength(line) + entryBytes
    if (!this.#makeRoom(bytes, rank)) {
      this.#drop(level)
      return
    }
    this.#queues[rank]!.add({ place: this.#placed++, line, bytes })
    this.#bytes += bytes
    if (this.#endsAt !== undefined) this.#finish()
    else if (level === 'fatal') this.flush()
    else if (!this.#later) this.#flushLater(rank)
  }

  #flushLater(rank: number): void {
    if (rank > infoRank) this.#soon ??= setImmediate(() => this.flush())
    else this.#gathering ??= setTimeout(() => this.flush(), gatherMs).unref()
  }

  /** Writes as much as the outlet takes now. */
  flush(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#gathering)
    clearTimeout(this.#later)
    this.#soon = undefined
    this.#gathering = undefined
    this.#later = undefined
    try {
      if (this.#write(false)) return
      this.#retryAfter(retryMs)
    } catch {
      this.#retryAfter(faultRetryMs)
    }
  }

  /** The process is exiting: for `lastWordsMs` writes what it can, including lines added later. */
  end(): void {
    this.#endsAt ??= performance.now() + lastWordsMs
    this.#reportMissed()
    this.#finish()
  }

  #finish(): void {
    try {
      this.#settle()
      while (!this.#write(true) && performance.now() < this.#endsAt!) sleepSync(lastRetryMs)
      this.#settle()
    } catch {
      // There is no way left to report it.
    }
  }

  #settle(): void {
    if (performance.now() < this.#endsAt!) this.#outlet.settle?.()
  }

  /** @returns whether everything was written. */
  #write(last: boolean): boolean {
    for (;;) {
      if (this.#rest.length === 0) this.#rest = this.#take(last ? this.#bytesMax : chunkBytesMax)
      if (this.#rest.length === 0) return true
      const taken = this.#outlet.write(this.#rest, last)
      if (taken === 0) return false
      this.#rest = this.#rest.subarray(taken)
      if (this.#missed && !last) this.#report ??= setTimeout(() => this.#reportMissed(), reportMs).unref()
    }
  }

  /** @returns the next lines; at least one, if there is any. */
  #take(bytesMax: number): Uint8Array {
    let text = ''
    for (let room = bytesMax; room > 0; ) {
      const next = this.#next()
      if (!next) break
      const { line, bytes } = next.shift()!
      this.#bytes -= bytes
      text += line
      room -= bytes
    }
    return text === '' ? nothing : Buffer.from(text)
  }

  /** @returns the queue with the line that was logged first. */
  #next(): Queue | undefined {
    let next: Queue | undefined
    for (const queue of this.#queues)
      if (queue.first && (!next || queue.first.place < next.first!.place)) next = queue
    return next
  }

  /** Displaces lines up to this level. @returns whether there is room now. */
  #makeRoom(bytes: number, rank: number): boolean {
    const excess = () => this.bytes + bytes - this.#bytesMax
    // Many lines in one turn must not cause drops.
    if (excess() > 0 && !this.#later) this.flush()
    if (excess() <= 0) return true
    // No line is displaced for a line that would still not fit.
    const displaceable = this.#queues.slice(0, rank + 1).reduce((sum, queue) => sum + queue.bytes, 0)
    if (excess() > displaceable) return false
    for (const [at, queue] of this.#queues.entries()) {
      while (excess() > 0 && queue.first) {
        this.#bytes -= queue.shift()!.bytes
        this.#drop(levels[at]!)
      }
    }
    return true
  }

  #drop(level: Level): void {
    this.#missed ??= {}
    this.#missed[level] = (this.#missed[level] ?? 0) + 1
    this.#dropped?.(level)
  }

  #reportMissed(): void {
    clearTimeout(this.#report)
    this.#report = undefined
    const missed = this.#missed
    this.#missed = undefined
    if (missed) this.#behind?.(missed)
  }

  #retryAfter(ms: number): void {
    this.#later = setTimeout(() => this.flush(), ms).unref()
  }
}

const nothing = new Uint8Array()

/** First in, first out. The array is cut once half of it is empty. */
class Queue {
  #entries: (Entry | undefined)[] = []
  #head = 0
  bytes = 0

  get first(): Entry | undefined {
    return this.#entries[this.#head]
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
    this.bytes += entry.bytes
  }

  shift(): Entry | undefined {
    const entry = this.first
    if (!entry) return undefined
    this.bytes -= entry.bytes
    this.#entries[this.#head] = undefined
    this.#head += 1
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return entry
  }
}
