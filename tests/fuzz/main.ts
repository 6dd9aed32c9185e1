/** `npm run fuzz`: random requests, generated from the OpenAPI documents, against the whole system. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onSignals } from '../../deploy/local/processes/signals.ts'
import { serviceNames } from '../../platform/config.ts'
import { WebhookSink } from '../doubles/webhook-sink.ts'
import { help, type Options, readOptions } from './options.ts'
import { run } from './schemathesis.ts'
import { answersOf, faultsOf, type Sum, summaryOf } from './sum.ts'
import { alertToken, startSystem } from './system.ts'

/** Cases per operation in one run. A document has eight to ten operations, and some have little to vary. */
const examplesMax = 200
const operations = 8
/** The most runs, however few cases each has. */
const runsMax = 1_000

try {
  const options = readOptions(process.argv.slice(2))
  if (!options) console.log(help)
  else if (
    !(await fuzz(
      options,
      onSignals(() => process.exit(1)),
    ))
  )
    process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

/** @returns whether every response was right. */
async function fuzz(options: Options, signal: AbortSignal): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-fuzz-'))
  await using stack = new AsyncDisposableStack()
  const receiver = stack.use(await WebhookSink.start())
  console.log(`Seed ${options.seed}. Starting the system`)
  const { addresses, lines } = await startSystem(options.runtime, stack)

  const sums = await Promise.all(
    serviceNames.map(async (service): Promise<Sum> => {
      const its = join(dir, service)
      await mkdir(its)
      const failures = new Set<string>()
      const wanted = Math.ceil(options.cases / serviceNames.length)
      let cases = 0
      for (let n = 0; cases < wanted && n < runsMax; n++) {
        const examples = Math.min(examplesMax, Math.ceil((wanted - cases) / operations))
        const outcome = await run({
          address: addresses[service],
          dir: its,
          name: `run-${n}`,
          seed: options.seed + n,
          examples,
          coverage: n === 0,
          token: alertToken,
          receiver: receiver.url,
          signal,
        })
        cases += outcome.cases
        for (const failure of outcome.failures) failures.add(failure)
        console.log(`${service.padEnd(11)} ${cases} of ${wanted} cases, ${failures.size} failures`)
        if (outcome.cases === 0) break
      }
      const metrics = await fetch(`${addresses[service].opsUrl}/metrics`)
      return { service, cases, failures, answers: answersOf(await metrics.text()) }
    }),
  )

  const faults = sums.flatMap(faultsOf)
  console.log(summaryOf(sums))
  for (const fault of faults) console.log(fault)
  if (faults.length === 0) await rm(dir, { recursive: true })
  else {
    await writeFile(join(dir, 'services.log'), lines.join('\n'))
    console.log(`Requests, answers and the services' lines are in ${dir}`)
  }
  return faults.length === 0
}
