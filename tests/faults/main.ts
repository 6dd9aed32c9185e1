/** `npm run faults`: injects faults into the system and shows which guarantees held. */
import { Day } from './day.ts'
import { help, type Options, readOptions } from './options.ts'
import { hunt } from './planted/hunt.ts'
import { Progress } from './progress.ts'
import { failureOf, legend, tableOf } from './report.ts'
import { hurt, type Result, run } from './run.ts'
import { chosen, quick, quickRate, scenarios } from './scenarios/all.ts'

try {
  const options = readOptions(process.argv.slice(2))
  if (!options) console.log(help)
  else if (options.mode === 'list') list()
  else if (!(await held(options))) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

function list(): void {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, title } of scenarios) console.log(`${name.padEnd(width)}  ${title}`)
}

function held(options: Options): Promise<boolean> {
  const { mode, scenarios: names, seed, secondsMax } = options
  if (mode === 'planted') return hunt(names, { seed, secondsMax, progress: new Progress() })
  return mode === 'quick' ? inOneDay(options) : campaign(options)
}

/** The most likely faults, one after the other in one world. @returns whether everything held. */
async function inOneDay({ seed, secondsMax, identity }: Options): Promise<boolean> {
  const progress = new Progress()
  const results: Result[] = []
  console.log(`Seed ${seed}`)
  progress.begin('starting')
  {
    await using day = await Day.begin({ seed, secondsMax, rate: quickRate, world: { identity } })
    for (const [at, scenario] of quick.entries()) {
      progress.begin(`${at + 1}/${quick.length} ${scenario.name}, seed ${seed}`)
      results.push(await hurt(day, { scenario, seed, secondsMax, say: progress.say }))
      if (results.at(-1)!.violations.length > 0) break
    }
    progress.end()
  }
  return summary(results, [], [])
}

/** Aborted by the first Ctrl-C: the current run is finished, and the table is printed. The second ends the process. */
function interruption(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => {
    console.log('\nStopping after this run.')
    stop.abort()
  })
  return stop.signal
}

/** Each scenario in its own world. @returns whether everything held. */
async function campaign(options: Options): Promise<boolean> {
  const wanted = chosen(options.scenarios)
  const until = Date.now() + (options.minutes ?? 0) * 60_000
  const progress = new Progress()
  const results: Result[] = []
  const skipped = new Set<string>()
  const broken: string[] = []
  const stopping = interruption()
  console.log(`Seed ${options.seed}`)
  for (let round = 0; !stopping.aborted && (round < options.seeds || Date.now() < until); round++) {
    for (const [at, scenario] of wanted.entries()) {
      if (stopping.aborted) break
      const noOlder = scenario.fromOlder && !options.from && 'name a checkout of an older version with --from'
      const why = noOlder || (await scenario.unable?.())
      if (why) {
        skipped.add(`${scenario.name}: ${why}`)
        continue
      }
      const seed = options.seed + round
      progress.begin(`${at + 1}/${wanted.length} ${scenario.name}, seed ${seed}`)
      const { secondsMax, from, identity } = options
      const world = { identity, ...(scenario.fromOlder && from ? { older: from } : {}) }
      const result = await run({ scenario, seed, secondsMax, world, say: progress.say }).catch(
        (error: Error) => void broken.push(`${scenario.name}, seed ${seed}: ${error.message}`),
      )
      if (result) results.push(result)
      progress.end()
    }
  }
  return summary(results, broken, [...skipped])
}

/** @param broken runs without a result. */
function summary(results: Result[], broken: string[], skipped: string[]): boolean {
  const failures = results.filter(({ violations }) => violations.length > 0)
  for (const it of failures) console.log(failureOf(it))
  console.log(`${tableOf(results)}\n${legend}`)
  for (const it of broken) console.log(`No result: ${it}`)
  for (const it of skipped) console.log(`Skipped ${it}`)
  const counts = [`${results.length - failures.length} held`, `${failures.length} did not`]
  if (broken.length > 0) counts.push(`${broken.length} without a result`)
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`)
  console.log(counts.join(', '))
  return failures.length + broken.length === 0
}
