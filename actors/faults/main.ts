/** `npm run faults`: hurts the system on purpose, and shows what held. */
import { help, type Options, readOptions } from './options.ts'
import { Progress } from './progress.ts'
import { failureOf, tableOf } from './report.ts'
import { type Result, run } from './run.ts'
import { chosen, quick, scenarios } from './scenarios/all.ts'

try {
  const options = readOptions(process.argv.slice(2))
  if (!options) console.log(help)
  else if (options.mode === 'list') list()
  else if (!(await campaign(options))) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

function list(): void {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, title } of scenarios) console.log(`${name.padEnd(width)}  ${title}`)
}

/** @returns whether everything held. */
async function campaign(options: Options): Promise<boolean> {
  const wanted = options.mode === 'quick' ? quick : chosen(options.scenarios)
  const until = Date.now() + (options.minutes ?? 0) * 60_000
  const progress = new Progress()
  const results: Result[] = []
  const skipped: string[] = []
  console.log(`Seed ${options.seed}`)
  for (let round = 0; round < options.seeds || Date.now() < until; round++) {
    for (const [at, scenario] of wanted.entries()) {
      const why = await scenario.unable?.()
      if (why) {
        if (round === 0) skipped.push(`${scenario.name}: ${why}`)
        continue
      }
      const seed = options.seed + round
      progress.begin(`${at + 1}/${wanted.length} ${scenario.name}, seed ${seed}`)
      const result = await run({ scenario, seed, secondsMax: options.secondsMax, say: progress.say })
      progress.end()
      results.push(result)
      if (result.violations.length > 0) console.log(failureOf(result))
    }
  }
  console.log(tableOf(results))
  return summary(results, skipped)
}

function summary(results: Result[], skipped: string[]): boolean {
  const failed = results.filter(({ violations }) => violations.length > 0).length
  for (const it of skipped) console.log(`Skipped ${it}`)
  const counts = [`${results.length - failed} held`, `${failed} did not`]
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`)
  console.log(counts.join(', '))
  return failed === 0
}
