/**
 * The same work by other means, on the same machine, in turn. Each contender runs alone, because one that polls while idle
 * would affect the figures of another. It is restarted for each pattern of each round, and keeps its books.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { root } from '../../deploy/local/root.ts'
import { type Audit, audit } from '../bench/audit.ts'
import { demandOf, type Pattern } from '../bench/books.ts'
import { machine } from '../bench/machine.ts'
import { describeStart } from '../bench/npm-start.ts'
import { progress } from '../bench/progress.ts'
import { othersOf, type Run } from '../bench/report.ts'
import { idleOf, runOnce, settle } from '../bench/rounds.ts'
import { type Store, startStores } from '../bench/stores.ts'
import type { Surroundings, Target } from '../bench/target.ts'
import type { Workload } from '../bench/workloads.ts'
import { type ContenderName, contenders } from './contenders.ts'
import { goalsOf } from './goals.ts'
import { installContenders, versions } from './install.ts'
import { describeKills, killable, killRedis } from './killed.ts'
import { help, type Options, readOptions } from './options.ts'
import { pictureOf } from './picture.ts'
import { type Measured, type Results, rowsOf } from './results.ts'
import { faultsOf, markdownOf, textOf, titleOf } from './table.ts'
import { tidy } from './tidy.ts'

class Comparison {
  readonly #options: Options
  readonly #around: Surroundings
  readonly #stores: Store[]
  readonly #signal: AbortSignal
  readonly #books: string[]
  readonly #stocked = new Set<ContenderName>()
  readonly #failed = new Set<ContenderName>()
  readonly #runs: Run[] = []
  readonly measured: Measured[] = []
  readonly failures: string[] = []

  constructor(options: Options, around: Surroundings, stores: Store[], signal: AbortSignal) {
    this.#options = options
    this.#around = around
    this.#stores = stores
    this.#signal = signal
    this.#books = [...new Set(options.patterns.flatMap((pattern) => demandOf(pattern, options.books).books))]
  }

  async run(): Promise<void> {
    const { rounds, patterns, contenders: names } = this.#options
    for (let round = 0; round < rounds; round++)
      // The order alternates between rounds.
      for (const pattern of patterns)
        for (const name of round % 2 ? names.toReversed() : names) {
          if (this.#signal.aborted) return
          await this.#attempt(name, `round ${round + 1}, ${pattern}`, (target) =>
            this.#measure(name, target, pattern, round),
          )
        }
  }

  async audits(): Promise<Audit[]> {
    const audits: Audit[] = []
    for (const name of this.#stocked) {
      if (this.#failed.has(name)) {
        this.failures.push(`${name}: not audited, because it failed`)
        continue
      }
      progress(`${name}: audit`)
      const loads = this.#runs.filter(({ target }) => target === name).map(({ load }) => load)
      await this.#attempt(name, 'audit', async (target) => {
        audits.push(await audit(target, this.#books, loads))
      })
    }
    return audits
  }

  others(): string[] {
    return othersOf(this.#runs)
  }

  /** Records a failure, and continues with the other contenders. */
  async #attempt(name: ContenderName, what: string, act: (target: Target) => Promise<void>): Promise<void> {
    try {
      await this.#with(name, act)
    } catch (error) {
      this.#failed.add(name)
      this.failures.push(`${name}, ${what}: ${error instanceof Error ? error.message.trim() : error}`)
      progress(`FAILED ${this.failures.at(-1)}`)
    }
  }

  /** Runs the contender, with its books, for as long as `act` takes. */
  async #with(name: ContenderName, act: (target: Target) => Promise<void>): Promise<void> {
    const target = await contenders[name].start(this.#around, name)
    try {
      if (!this.#stocked.has(name)) {
        progress(`${name}: stocking`)
        await target.stock(this.#books)
        await settle(target, this.#stores, await idleOf(target, this.#stores))
        this.#stocked.add(name)
      }
      await act(target)
    } finally {
      await target.stop()
      await tidy(this.#around.databaseUrl, name)
    }
  }

  async #measure(contender: ContenderName, target: Target, pattern: Pattern, round: number): Promise<void> {
    const { rounds, books } = this.#options
    const idle = await idleOf(target, this.#stores)
    const stage = { timing: this.#options, stores: this.#stores, signal: this.#signal }
    for (const clients of this.#options.clients) {
      if (this.#signal.aborted) return
      const title = titleOf({ pattern, clients }, books)
      progress(`round ${round + 1} of ${rounds}: ${title}: ${contender}`)
      const demand = demandOf(pattern, books)
      const workload: Workload = { name: title, title, clients, ...demand, status: 'Reserved' }
      const run = await runOnce(stage, workload, target, idle)
      this.#runs.push(run)
      const residentBytes = target.processes.reduce((sum, it) => sum + it.usage().residentBytes, 0)
      // An aborted run has no figures, but its reservations still count in the audit.
      if (!this.#signal.aborted) this.measured.push({ pattern, clients, contender, run, residentBytes })
    }
  }
}

async function compare(options: Options, signal: AbortSignal): Promise<boolean> {
  const dir = join(root, '.data', `compare-${process.pid}`)
  await using stack = new AsyncDisposableStack()
  const description = machine()
  console.log(description)
  const { stores, ...urls } = await startStores(dir, stack, options.keep)
  const comparison = new Comparison(options, { ...urls, runtime: 'node', logDir: dir }, stores, signal)
  await comparison.run()
  const audits = await comparison.audits()
  progress('')
  const results: Results = {
    machine: description,
    at: new Date().toISOString().slice(0, 10),
    ...{ command: commandOf(process.argv.slice(2)), versions: versions() },
    ...{ seconds: options.seconds, warmupSeconds: options.warmupSeconds },
    ...{ rounds: options.rounds, books: options.books },
    contenders: options.contenders.map((name) => {
      const { title, durability } = contenders[name]
      return { name, title, durability }
    }),
    launches: launchesOf(options.contenders),
    ...rowsAndGoals(comparison.measured),
    ...{ audits, others: comparison.others(), failures: comparison.failures },
    complete: !signal.aborted && comparison.failures.length === 0,
  }
  console.log(`\n${textOf(results)}`)
  await write(resolve(root, options.out), results)
  return faultsOf(results).length === 0 && !(options.check && results.goals.some(({ met }) => !met))
}

/** @returns whether the product lost nothing. */
async function killed(kills: number, options: Options, signal: AbortSignal): Promise<boolean> {
  const dir = join(root, '.data', `compare-${process.pid}`)
  await using stack = new AsyncDisposableStack()
  console.log(machine())
  const { stores: _, ...urls } = await startStores(dir, stack, options.keep)
  let kept = true
  const lines: string[] = []
  for (const name of killable) {
    const found = await killRedis(name, { kills, around: { ...urls, runtime: 'node', logDir: dir }, signal })
    lines.push(...describeKills(contenders[name].title, found))
    if (name === 'ours-node') kept = found.every(({ lost, soldAgain }) => lost + soldAgain === 0)
  }
  progress('')
  console.log(`\n${lines.join('\n')}`)
  return kept
}

const commandOf = (args: string[]) => ['npm run compare', ...(args.length ? ['--', ...args] : [])].join(' ')

function launchesOf(names: ContenderName[]): string[] {
  const runtimes = (['node', 'deno'] as const).filter((it) => names.includes(`ours-${it}`))
  return runtimes.map((runtime) => `Ours: ${describeStart(runtime)}.`)
}

function rowsAndGoals(measured: Measured[]) {
  const rows = rowsOf(measured)
  return { rows, goals: goalsOf(rows) }
}

async function write(out: string, results: Results): Promise<void> {
  await mkdir(out, { recursive: true })
  await writeFile(join(out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(join(out, 'results.md'), markdownOf(results))
  await writeFile(join(out, 'results.svg'), pictureOf(results))
  console.log(`\nWritten to ${out}: results.json, results.md, results.svg`)
}

try {
  const options = readOptions(process.argv.slice(2))
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  if (!options) console.log(help)
  else if (options.kills) {
    if (!(await killed(options.kills, options, stop.signal))) process.exitCode = 1
  } else {
    installContenders()
    if (!(await compare(options, stop.signal))) process.exitCode = 1
  }
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
