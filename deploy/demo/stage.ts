/** Words, live figures and verdicts of the demo, on standard output. */
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { Progress } from '../local/progress.ts'

export type StageOptions = {
  stream: NodeJS.WriteStream
  /** How long a reader needs for a character, in milliseconds. */
  readingMs: number
  /** Ends the pauses. */
  signal: AbortSignal
}

/** Elsewhere than on a terminal, figures are a line a second at most. */
const figuresEveryMs = 1_000
const indent = '   '
const widthMax = 96

export class Stage {
  readonly #options: StageOptions
  readonly #figures: Progress
  readonly #verdicts: string[] = []

  constructor(options: StageOptions) {
    this.#options = options
    this.#figures = new Progress({ stream: options.stream, everyMs: figuresEveryMs })
  }

  title(text: string): void {
    this.#write(`\n${this.#style('bold', text)}`)
  }

  /** Prints a paragraph, and gives time to read it. */
  async say(text: string): Promise<void> {
    this.#write(wrapped(text))
    await sleep(text.length * this.#options.readingMs, undefined, { signal: this.#options.signal })
  }

  /** Prints a line as it is, such as a line of a log. */
  quote(line: string): void {
    this.#write(`${indent}${this.#style('dim', line)}`)
  }

  /** Shows figures that change. */
  figures(text: string): void {
    this.#figures.show(`${indent}${text}`)
  }

  /** @throws {BrokenPromise} when it does not hold. */
  check(promise: string, holds: boolean, facts: string): void {
    if (!holds) throw new BrokenPromise(`${promise}: ${facts}`)
    this.#verdicts.push(`${this.#style('green', '✔')} ${promise}: ${facts}`)
    this.#write(`${indent}${this.#verdicts.at(-1)}`)
  }

  /** Prints every verdict again. */
  summary(): void {
    this.title('What you have seen')
    for (const verdict of this.#verdicts) this.#write(`${indent}${verdict}`)
  }

  /** Removes unfinished figures. */
  clear(): void {
    this.#figures.clear()
  }

  #write(text: string): void {
    this.#figures.keep()
    this.#options.stream.write(`${text}\n`)
  }

  /** Plain when the stream is no terminal, or when `NO_COLOR` is set. */
  #style(format: 'bold' | 'dim' | 'green', text: string): string {
    return styleText(format, text, { stream: this.#options.stream })
  }
}

export class BrokenPromise extends Error {
  override name = 'BrokenPromise'
}

function wrapped(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < widthMax)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map((line) => indent + line).join('\n')
}
