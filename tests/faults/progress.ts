/** Shows the progress of the campaign: one changing line on a terminal, otherwise a line per run. */
export class Progress {
  #run = ''
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  /** @param run such as `3/18 redis-flushed, seed 7`. */
  begin(run: string): void {
    this.#run = run
    if (!this.#stream.isTTY) this.#stream.write(`${run}\n`)
  }

  readonly say = (phase: string): void => {
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${this.#run}: ${phase}`)
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K')
  }
}
