/** Watches the size of Redis's append-only file, so that it can be cut to an earlier size, as in a power cut. */
import { readdirSync, statSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'

type Size = { at: number; file: string; bytes: number }

const everyMs = 50

export class LogSize implements Disposable {
  readonly #dir: string
  readonly #sizes: Size[] = []
  readonly #timer: NodeJS.Timeout

  constructor(dataDir: string) {
    this.#dir = join(dataDir, 'appendonlydir')
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  #look(): void {
    // A rewrite replaces it with a file of a higher number.
    const [name] = readdirSync(this.#dir)
      .filter((it) => it.endsWith('.incr.aof'))
      .sort((a, b) => numberOf(b) - numberOf(a))
    if (!name) return
    const file = join(this.#dir, name)
    this.#sizes.push({ at: performance.now(), file, bytes: statSync(file).size })
  }

  /** Only while Redis does not run. */
  async cutTo(at: number): Promise<void> {
    const last = this.#sizes.at(-1)
    const then = this.#sizes.findLast((it) => it.at <= at && it.file === last?.file)
    if (!then) throw new Error('Cannot cut the append-only file: it was replaced meanwhile')
    await truncate(then.file, then.bytes)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

const numberOf = (name: string): number => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? 0)
