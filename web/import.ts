/**
 * Receives the lines of a delivery.
 *
 * Each line is one receipt with the key `csv:<sha256 of the file>:<line>`. So a file that is sent again, after it was interrupted or by
 * mistake, adds nothing twice, for as long as stock remembers keys (7 days). Lines of one book are received in the order of the file.
 * Other lines do not wait for each other. A service that is down is asked again for `patienceMs`. Then the import stops, and says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Apis } from './apis/apis.ts'
import { ApiDown } from './apis/call.ts'
import type { Stock } from './apis/stock.ts'
import type { Delivery, Line } from './delivery.ts'
import { findScanned, receive } from './receipt.ts'

/** @param lines of the file that are received. */
export type Progress = { lines: number; copies: number }

export type Refused = { line: number; reason: 'several' | 'unknown' | 'refused'; detail?: string | undefined }

export type Outcome = Progress & {
  refused: Refused[]
  /** Whether lines are missing because a service is down, or this process stops. */
  isStopped: boolean
}

type ImportOptions = {
  apis: Apis
  delivery: Delivery
  /** Aborted when the browser is gone or the process stops. */
  signal: AbortSignal
}

const linesAtOnce = 8
const progressEveryMs = 500
const patienceMs = 30_000
const againMs = 1_000

/** Yields the progress from time to time, and returns the outcome. */
export async function* importDelivery(options: ImportOptions): AsyncGenerator<Progress, Outcome> {
  const running = new Import(options)
  const done = running.run().then(() => true)
  let isDone = false
  try {
    while (!isDone) {
      yield running.progress
      isDone = await Promise.race([done, sleep(progressEveryMs, false)])
    }
  } finally {
    // The reader is gone.
    if (!isDone) running.stop()
    await done
  }
  return running.outcome
}

class Import {
  readonly #apis: Apis
  readonly #sha256: string
  readonly #books: Line[][]
  readonly #signal: AbortSignal
  readonly #refused: Refused[] = []
  #lines = 0
  #copies = 0
  #isStopped = false

  constructor({ apis, delivery, signal }: ImportOptions) {
    this.#apis = apis
    this.#sha256 = delivery.sha256
    this.#books = [...Map.groupBy(delivery.lines, ({ bookid, isbn }) => bookid ?? isbn).values()]
    this.#signal = signal
  }

  get progress(): Progress {
    return { lines: this.#lines, copies: this.#copies }
  }

  get outcome(): Outcome {
    const refused = this.#refused.toSorted((a, b) => a.line - b.line)
    return { ...this.progress, refused, isStopped: this.#isStopped }
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: linesAtOnce }, () => this.#work()))
  }

  async #work(): Promise<void> {
    for (let book = this.#books.shift(); book; book = this.#books.shift()) {
      for (const line of book) {
        if (this.#signal.aborted) this.stop()
        if (this.#isStopped) return
        await this.#patiently(() => this.#receive(line))
      }
    }
  }

  async #patiently(act: () => Promise<void>): Promise<void> {
    const until = performance.now() + patienceMs
    while (!this.#isStopped) {
      try {
        return await act()
      } catch (error) {
        if (!(error instanceof ApiDown)) throw error
        if (performance.now() > until) this.stop()
        else await sleep(againMs, undefined, { signal: this.#signal }).catch(() => this.stop())
      }
    }
  }

  async #receive({ line, ...about }: Line): Promise<void> {
    const { qty, title, author, isbn } = about
    const found = about.bookid === undefined ? await findScanned(this.#apis, isbn!) : undefined
    if (found?.type === 'several') return this.#refuse({ line, reason: 'several' })
    const known = found?.type === 'known' ? found.stock : await this.#known(about.bookid)
    const bookid = about.bookid ?? known?.bookid ?? isbn!
    if (!known && title === undefined) return this.#refuse({ line, reason: 'unknown' })
    const receipt = {
      bookid,
      qty,
      ...(title && { title }),
      ...(author && { author }),
      ...(isbn && { isbn }),
    }
    const { answer } = await receive(this.#apis, receipt, `csv:${this.#sha256}:${line}`, known)
    if (!answer.ok) return this.#refuse({ line, reason: 'refused', detail: answer.refusal.detail })
    this.#lines += 1
    this.#copies += qty
  }

  async #known(bookid: string | undefined): Promise<Stock | undefined> {
    return bookid === undefined ? undefined : await this.#apis.stock.read('getStock', { bookid })
  }

  #refuse(refused: Refused): void {
    this.#refused.push(refused)
  }
}
