/**
 * The output of k6 when it is not a terminal. While a script runs, k6 prints its progress once a second, in a line for the whole
 * run and one for each scenario. They become one line (`progress.ts`); all other lines pass unchanged, except the logo.
 */
import type { Progress } from '../../../deploy/local/progress.ts'

const runLine = /^\s*(?:running|paused)\b.* VUs, .* iterations$/
/** Such as `reserve   [  41% ] 003/025 VUs  0m12.3s/0m30.0s  50.00 iters/s`. */
const scenarioLine = /^(\S+)\s.*\[\s*(\d+%|-+)\s*\]/
const logoLine = /^(?:[\s\\/|‾_()]|Grafana)*$/

export class K6Output {
  readonly #progress: Progress
  readonly #write: (line: string) => void
  readonly #scenarios = new Map<string, string>()
  /** The last line for the whole run, while there is progress. */
  #run = ''
  #written = ''
  #inLogo = true

  constructor(progress: Progress, write: (line: string) => void) {
    this.#progress = progress
    this.#write = write
  }

  readonly line = (line: string): void => {
    if (this.#inLogo && logoLine.test(line)) return
    this.#inLogo = false
    // Each round of progress begins with an empty line.
    if (line === '' && (this.#run || this.#written === '')) return
    if (this.#isProgress(line)) return
    this.#run = ''
    this.#progress.clear()
    this.#write(line)
    this.#written = line
  }

  #isProgress(line: string): boolean {
    const [, scenario, share] = scenarioLine.exec(line) ?? []
    if (runLine.test(line)) this.#run = line.trim()
    else if (scenario) this.#scenarios.set(scenario, share!)
    else return false
    if (scenario && this.#run) this.#progress.show(this.#text())
    return true
  }

  #text(): string {
    const shares = [...this.#scenarios].map(([name, share]) => `${name} ${share}`).join(', ')
    return `${shares}, ${this.#run}`
  }
}
