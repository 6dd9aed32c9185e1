/** Progress of a program: on a terminal one line that is overwritten, elsewhere a new line now and then. */

type ProgressOptions = {
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>
  /** Elsewhere than on a terminal: the least time between two lines, in milliseconds. */
  everyMs: number
  /** Milliseconds. */
  now(): number
}

const clearLine = '\r\x1b[K'

export class Progress {
  readonly #options: ProgressOptions
  #text = ''
  #written = ''
  #writtenAt = -Infinity

  constructor(options: Partial<ProgressOptions> = {}) {
    this.#options = { stream: process.stderr, everyMs: 0, now: () => performance.now(), ...options }
  }

  show(text: string): void {
    const { stream, everyMs, now } = this.#options
    this.#text = text
    // A line that wraps could not be overwritten.
    if (stream.isTTY) stream.write(`${clearLine}${text.slice(0, (stream.columns || 80) - 1)}`)
    else if (now() - this.#writtenAt >= everyMs) this.#writeLine()
  }

  /** Removes the line, so that other text can follow. */
  clear(): void {
    if (this.#options.stream.isTTY && this.#text) this.#options.stream.write(clearLine)
    this.#text = ''
  }

  /** Ends the line and leaves its last text there. */
  keep(): void {
    if (this.#options.stream.isTTY && this.#text) this.#options.stream.write('\n')
    else if (this.#text && this.#text !== this.#written) this.#writeLine()
    this.#text = ''
  }

  #writeLine(): void {
    this.#options.stream.write(`${this.#text}\n`)
    this.#written = this.#text
    this.#writtenAt = this.#options.now()
  }
}
