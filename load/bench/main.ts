/**
 * Drives product and baseline in turn, on the same machine, at the same time and on the same Postgres, and compares them. A
 * figure counts only if the books add up afterwards: every answer that said Reserved is a held copy.
 */
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../../deploy/local/root.ts'
import { type Audit, audit } from './audit.ts'
import { startBaseline, startEcho } from './baseline.ts'
import { weigh } from './bytes.ts'
import { type CatchUp, catchUp } from './catch-up.ts'
import { agreementOf, checkClient, leadsOf } from './check-client.ts'
import type { LoadResult } from './closed-loop.ts'
import { type Goal, goalsOf } from './goals.ts'
import { startHistory } from './history.ts'
import { describeKept, keptBy } from './kept.ts'
import { machine } from './machine.ts'
import { describeStart } from './npm-start.ts'
import { help, type Options, readOptions } from './options.ts'
import { type Product, startProduct } from './product.ts'
import { progress } from './progress.ts'
import { bytesTableOf, count, megabytes, othersOf, type Run, tableOf } from './report.ts'
import { runRounds, type Shares, settle, sharesUsed } from './rounds.ts'
import { type Store, startStores } from './stores.ts'
import type { Surroundings, Target } from './target.ts'
import { createWorkload, type Workload } from './workloads.ts'

type Targets = {
  baseline?: Target
  product?: Product
  before?: Product
  history?: Product
  echo?: Target
}

/** How long the CPU of the idle product is measured, after the work of its start is over. */
const idleSeconds = 20
const startedAfterMs = 20_000

async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  const dir = join(root, '.data', `bench-${process.pid}`)
  await using stack = new AsyncDisposableStack()
  console.log(`${machine()}\nproduct: ${describeStart(options.runtime)}`)
  progress('starting Postgres and Redis')
  const { stores, ...urls } = await startStores(dir, stack, options.keep)
  const around = { ...urls, ...options, logDir: dir }
  if (options.checkClient) return await compareWithWrk(options, around, stores, stack, signal)
  const workloads = options.only.map((name) => createWorkload(name, options))
  const queue = createWorkload('accept', options)
  const books = [...new Set([...workloads, queue].flatMap((workload) => workload.books))]
  const named: Targets = {}
  let idle: Shares | undefined
  for (const start of startsOf(options, around)) {
    const target = Object.values(Object.assign(named, await start()))
      .filter((it) => it !== undefined)
      .at(-1)!
    stack.defer(target.stop)
    progress(`${target.name}: stocking ${count(books.length)} books`)
    await target.stock(books)
    await settle(target, stores)
    if (options.idle && target === named.product) {
      progress(`${target.name}: idle`)
      await sleep(startedAfterMs, undefined, { signal }).catch(() => {})
      // The baseline is running too, but uses no CPU without load.
      idle = await sharesUsed(target, stores, idleSeconds)
    }
  }
  const targets = Object.values(named)
  const { rounds } = options
  const weighing = () => weigh(urls)
  const keptBefore = named.product && (await keptBy(named.product))
  const stage = { rounds, workloads, targets, stores, signal, weigh: weighing }
  const runs = await runRounds({ timing: options, ...stage })
  const kept =
    named.product &&
    keptBefore &&
    describeKept(keptBefore, await keptBy(named.product), sentTo('product', runs))
  const peaks = peaksOf(targets)
  let caughtUp: CatchUp | undefined
  if (options.catchUp && named.product && !signal.aborted) {
    progress(`catch-up: ${count(options.queued)} reservations while stock is down`)
    caughtUp = await catchUp(named.product, queue, options.queued, weighing)
  }
  progress('')
  const highestPeaks = highest(peaks, peaksOf(targets))
  return await report({ options, workloads, books, named, runs, kept, caughtUp, idle, peaks: highestPeaks })
}

/** In the order in which they start. Targets that poll while idle come last. */
function startsOf(options: Options, around: Surroundings): (() => Promise<Targets>)[] {
  const { only, catchUp, idle, targets: chosen, past, stockWorkers, before: tree } = options
  const decides = catchUp || idle || only.some((name) => name !== 'echo')
  const wants = (name: Options['targets'][number]) => decides && chosen.includes(name)
  return [
    wants('baseline') && (async () => ({ baseline: await startBaseline(around) })),
    wants('product') && (async () => ({ product: await startProduct(around, 'product', { stockWorkers }) })),
    tree !== undefined &&
      (async () => ({ before: await startProduct(around, 'before', { tree: resolve(tree) }) })),
    wants('history') && (async () => ({ history: await startHistory(around, past) })),
    only.includes('echo') && (async () => ({ echo: await startEcho(around) })),
  ].filter((start) => start !== false)
}

async function compareWithWrk(
  options: Options,
  around: Surroundings,
  stores: Store[],
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<boolean> {
  const workload = createWorkload('hot', options)
  const start = async (starting: Promise<Target>) => {
    const target = await starting
    stack.defer(target.stop)
    await target.stock(workload.books)
    return target
  }
  const targets = { baseline: await start(startBaseline(around)), product: await start(startProduct(around)) }
  const { rounds } = options
  const { runs, loads } = await checkClient({ ...targets, workload, stores, timing: options, rounds, signal })
  progress('')
  console.log(`\n${tableOf(runs, workload)}`)
  const agreement = agreementOf(runs)
  section('Clients', [lineOf(agreement), ...leadsOf(runs)])
  const audits = []
  for (const [target, its] of loads) audits.push(await audit(target, workload.books, its))
  return printBooks(audits) && agreement.met
}

const sentTo = (target: string, runs: Run[]): number =>
  runs.filter((run) => run.target === target).reduce((sum, run) => sum + run.load.sent, 0)

/** Peak memory by target and process. */
type Peaks = Record<string, number>

const peaksOf = (targets: Target[]): Peaks =>
  Object.fromEntries(
    targets.flatMap((target) =>
      target.processes.map(({ name, usage }) => [`${target.name} ${name}`, usage().residentBytes] as const),
    ),
  )

const highest = (one: Peaks, other: Peaks): Peaks =>
  Object.fromEntries(
    Object.keys({ ...one, ...other }).map((name) => [name, Math.max(one[name] ?? 0, other[name] ?? 0)]),
  )

type Outcome = {
  options: Options
  workloads: Workload[]
  books: string[]
  named: Targets
  runs: Run[]
  kept: ReturnType<typeof describeKept> | undefined
  caughtUp: CatchUp | undefined
  idle: Shares | undefined
  peaks: Peaks
}

/** @returns whether the run is valid, and with `--check` whether it met the goals. */
async function report(outcome: Outcome): Promise<boolean> {
  const { options, workloads, books, named, runs, kept, caughtUp, idle, peaks } = outcome
  for (const workload of workloads)
    console.log(`\n${tableOf(runs, workload)}\n${bytesTableOf(runs, workload)}`)
  const products = Object.entries(peaks).filter(([name]) => /^(product|history) (?!starter)/.test(name))
  const found = { runs, runtime: options.runtime, peaks: Object.fromEntries(products) }
  const goals = goalsOf({ ...found, catchUp: caughtUp, idle: idle && sumOf(idle) })
  const others = othersOf(runs)
  section(
    'Peak memory',
    Object.entries(peaks).map(([name, bytes]) => `${name} ${megabytes(bytes)}`),
  )
  section('Commits of the product, in all rounds', kept?.batches ?? [])
  section('Tables of the product, per reservation', kept?.tables ?? [])
  section('Idle, percent of a core', idle ? [describeShares(idle)] : [])
  section('Catch-up', caughtUp ? [described(caughtUp)] : [])
  section('Goals', goals.map(lineOf))
  section('Other answers', others)
  const audits = []
  for (const target of [named.baseline, named.product, named.before, named.history])
    if (target) audits.push(await audit(target, books, loadsOf(target, runs, named, caughtUp)))
  return printBooks(audits) && (!options.check || (others.length === 0 && goals.every(({ met }) => met)))
}

/** @returns whether all are right. */
function printBooks(audits: Audit[]): boolean {
  section(
    'Books',
    audits.map(({ line, right }) => `${right ? 'right ' : 'WRONG '} ${line}`),
  )
  return audits.every(({ right }) => right)
}

/** All loads of the target since it was stocked. */
function loadsOf(target: Target, runs: Run[], { product }: Targets, caughtUp?: CatchUp): LoadResult[] {
  const loads = runs.filter((run) => run.target === target.name).map((run) => run.load)
  if (target === product && caughtUp) loads.push(caughtUp.accepted)
  return loads
}

const sumOf = (shares: Shares): number => Object.values(shares).reduce((sum, share) => sum + share, 0)

const describeShares = (shares: Shares): string =>
  Object.entries(shares)
    .map(([name, share]) => `${name} ${(share * 100).toFixed(1)}`)
    .join(', ')

const described = ({ accepted, decided, perSecond, firstMs, waiting }: CatchUp) =>
  `${count(accepted.wanted)} accepted while stock was down, at ${count(accepted.perSecond)}/s; the first was decided ` +
  `${count(firstMs)} ms after its start, all ${count(decided)} at ${count(perSecond)}/s; ` +
  `each took ${count(waiting.memory)} B of Redis while it waited`

const lineOf = ({ text, met }: Goal) => `${met ? 'met   ' : 'MISSED'} ${text}`

function section(title: string, lines: string[]): void {
  if (lines.length) console.log(`\n${title}\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

try {
  const options = readOptions(process.argv.slice(2))
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  if (!options) console.log(help)
  else if (!(await bench(options, stop.signal)) || stop.signal.aborted) process.exitCode = 1
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
