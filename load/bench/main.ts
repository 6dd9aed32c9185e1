/**
 * Drives product and baseline in turn, on the same machine, Postgres and minute, and says how they compare.
 * A figure counts only if the books add up afterwards: every answer that said Reserved is a copy set aside.
 */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../deploy/local/postgres.ts'
import { startRedis } from '../../deploy/local/redis.ts'
import { root } from '../../deploy/local/root.ts'
import { audit } from './audit.ts'
import { help, type Options, readOptions } from './options.ts'
import { progress } from './progress.ts'
import { count, goalsOf, megabytes, othersOf, type Run, tableOf } from './report.ts'
import { runRounds, settle } from './rounds.ts'
import { type Surroundings, startBaseline, startEcho, startProduct, type Target } from './targets.ts'
import { usageOf } from './usage.ts'
import { createWorkload, type Workload } from './workloads.ts'

/** Who else works on the machine takes part in every figure. */
function machine(): string {
  const [model] = cpus()
  const load = loadavg()[0]!.toFixed(1)
  return `${cpus().length} cores (${model?.model.trim()}), load average before the start ${load}`
}

async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  const dir = join(root, '.data', `bench-${process.pid}`)
  await using stack = new AsyncDisposableStack()
  await mkdir(dir, { recursive: true })
  // The data may stand elsewhere, behind a link: that goes too.
  stack.defer(async () => {
    if (options.keep) return console.log(`\nData and logs are in ${dir}`)
    const data = await realpath(join(dir, 'postgres')).catch(() => dir)
    await Promise.all([data, dir].map((path) => rm(path, { recursive: true, force: true })))
  })
  console.log(machine())
  progress('starting Postgres and Redis')
  const db = stack.use(await startPostgres({ dataDir: join(dir, 'postgres') }))
  const redis = stack.use(await startRedis({ dataDir: join(dir, 'redis') }))
  const stores = [
    { name: 'postgres', usage: () => usageOf(db.pid) },
    { name: 'redis', usage: () => usageOf(redis.pid) },
  ]
  const around = { databaseUrl: db.url, redisUrl: redis.url, runtime: options.runtime, logDir: dir }
  if (process.env.PROF)
    await (await import('node:fs/promises')).writeFile(join(process.env.PROF, 'url'), db.url)
  const workloads = options.only.map((name) => createWorkload(name, options))
  const targets = await startTargets(options, around, stack)
  const books = [...new Set(workloads.flatMap((workload) => workload.books))]
  for (const target of targets.filter(({ name }) => name !== 'echo')) {
    progress(`${target.name}: stocking ${count(books.length)} books`)
    await target.stock(books)
    await settle(target, stores)
  }
  const runs = await runRounds({ options, workloads, targets, stores, signal })
  return await report(options, workloads, targets, runs)
}

async function startTargets(
  { only, targets: chosen }: Options,
  around: Surroundings,
  stack: AsyncDisposableStack,
): Promise<Target[]> {
  const decides = only.some((name) => name !== 'echo')
  const starts = [
    ...(decides && chosen.includes('baseline') ? [startBaseline] : []),
    ...(decides && chosen.includes('product') ? [startProduct] : []),
    ...(only.includes('echo') ? [startEcho] : []),
  ]
  const targets: Target[] = []
  for (const start of starts) {
    const target = await start(around)
    stack.defer(target.stop)
    targets.push(target)
  }
  return targets
}

/** @returns whether all is as it must be. */
async function report(
  options: Options,
  workloads: Workload[],
  targets: Target[],
  runs: Run[],
): Promise<boolean> {
  progress('')
  for (const workload of workloads) console.log(`\n${tableOf(runs, workload)}`)
  const peaks = (chosen: Target[]) =>
    Object.fromEntries(
      chosen.flatMap(({ processes }) => processes.map(({ name, usage }) => [name, usage().residentBytes])),
    )
  const product = targets.filter(({ name }) => name === 'product')
  const goals = goalsOf(runs, peaks(product))
  const others = othersOf(runs)
  const audits = []
  for (const target of targets.filter(({ name }) => name !== 'echo')) {
    const loads = runs.filter((run) => run.target === target.name).map((run) => run.load)
    audits.push(await audit(target, loads))
  }
  const memory = Object.entries(peaks(targets)).map(([name, bytes]) => `${name} ${megabytes(bytes)}`)
  section('Memory at its peak', [memory.join(', ')])
  section(
    'Goals',
    goals.map(({ text, met }) => `${met ? 'met   ' : 'MISSED'} ${text}`),
  )
  section('Other answers', others)
  section(
    'Books',
    audits.map(({ line, right }) => `${right ? 'right ' : 'WRONG '} ${line}`),
  )
  const sound = audits.every(({ right }) => right)
  return sound && (!options.check || (others.length === 0 && goals.every(({ met }) => met)))
}

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
