/**
 * Lines on their way out. A service puts a line here and goes on: whether anybody reads is the buffer's business.
 *
 *   B1  Nothing here waits for a reader, except `end`, and that for `lastWordsMs` at most.
 *   B2  What is held is at most `bytesMax`, whatever is logged and however long no reader comes. The accounting includes
 *       what an entry costs beside its text.
 *   B3  A line that does not fit displaces the oldest of the lowest level, never of a higher level than its own: `trace`
 *       and `debug` go first, then `info`, then `warn`. If there is none, the line itself is dropped. So of each level the
 *       newest lines arrive, a fatal error and the last lines before the exit among them.
 *   B4  What arrives is in the order in which it was logged.
 *   B5  Every line that is dropped is counted, by level, at once by `dropped`, and by a line of its own (`behind`) when the
 *       reader takes something again, or at the end: once in `reportMs` at most.
 *   B6  A line arrives whole, even where the outlet takes a part of it and the rest much later.
 *
 * Lines are written at the end of the event loop's turn, those of one turn together. A fatal error is written at once. An
 * outlet that takes nothing is asked again after `retryMs`; one that fails (a full disk, a reader that has gone) after
 * `faultRetryMs`, since it may recover. No timer here keeps a process running.
 */
import { sleepSync } from './sleep-sync.ts'

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
/** The lowest first. */
export const levels: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** Where lines go. */
export type Outlet = {
  /**
   * Takes what it can at once, and never waits.
   * @param bytes lines, or the end of some.
   * @param last the process ends: what is taken now must be written without another turn of the event loop.
   * @returns how many of the bytes it took; 0 if it takes none at present.
   * @throws when they cannot be written.
   */
  write(bytes: Uint8Array, last: boolean): number
}

export type Dropped = Partial<Record<Level, number>>

export type LogBufferOptions = {
  outlet: Outlet
  bytesMax?: number
  /** Called for each line that is dropped. Must not log. */
  dropped?(level: Level): void
  /** Called when the reader is back: logs how many lines it has missed since this was last called. */
  behind?(lines: Dropped): void
}

/** About 800 lines: four seconds of a service that logs as much as `busy-lines.ts` lets it. */
export const logBytesMax = 256 * 1024
/** The most that is written at once. It is no longer displaced. */
const chunkBytesMax = 16 * 1024
const entryBytes = 128
const retryMs = 20
const faultRetryMs = 1_000
const reportMs = 1_000
/** How long a process that ends waits for the reader of its last lines. */
export const lastWordsMs = 500
const lastRetryMs = 5

type Entry = { place: number; line: string; bytes: number }

export class LogBuffer {
  readonly #outlet: Outlet
  readonly #bytesMax: number
  readonly #dropped: LogBufferOptions['dropped']
  readonly #behind: LogBufferOptions['behind']
  /** By level, the lowest first. */
  readonly #queues = levels.map(() => new Queue())
  /** Of the lines in the queues. */
  #bytes = 0
  #placed = 0
  /** What the outlet did not take yet of what was last taken from the queues. */
  #rest: Uint8Array = nothing
  /** Since `behind` was last called. */
  #missed: Dropped | undefined
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

  /** What is held, as B2 counts it. */
  get bytes(): number {
    return this.#bytes + this.#rest.length
  }

  /** @param line with the line feed that ends it. */
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
    else if (!this.#later) this.#soon ??= setImmediate(() => this.flush())
  }

  /** Writes what the outlet takes at once. */
  flush(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#later)
    this.#soon = undefined
    this.#later = undefined
    try {
      if (this.#write(false)) return
      this.#retryAfter(retryMs)
    } catch {
      this.#retryAfter(faultRetryMs)
    }
  }

  /** The process ends: writes what it can in `lastWordsMs`, now and of each line that still comes. */
  end(): void {
    this.#endsAt ??= performance.now() + lastWordsMs
    this.#tellMissed()
    this.#finish()
  }

  #finish(): void {
    try {
      while (!this.#write(true) && performance.now() < this.#endsAt!) sleepSync(lastRetryMs)
    } catch {
      // There is nobody left to hear of it.
    }
  }

  /** @returns whether everything was written. */
  #write(last: boolean): boolean {
    for (;;) {
      if (this.#rest.length === 0) this.#rest = this.#take(last ? this.#bytesMax : chunkBytesMax)
      if (this.#rest.length === 0) return true
      const taken = this.#outlet.write(this.#rest, last)
      if (taken === 0) return false
      this.#rest = this.#rest.subarray(taken)
      if (this.#missed && !last) this.#report ??= setTimeout(() => this.#tellMissed(), reportMs).unref()
    }
  }

  /** @returns the next lines, at least one if there is any. */
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
    // Many lines of one turn are no reason to drop any.
    if (excess() > 0 && !this.#later) this.flush()
    if (excess() <= 0) return true
    // Nothing is displaced for a line that would not fit all the same.
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

  #tellMissed(): void {
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

/** First in, first out. Places that were left are given back by the half. */
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
