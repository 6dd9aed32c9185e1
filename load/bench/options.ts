/** The command line of the benchmark. */
import { parseArgs } from 'node:util'
import { type WorkloadName, workloadNames } from './workloads.ts'

export type Runtime = 'node' | 'deno'

export const targetNames = ['baseline', 'product'] as const
export type TargetName = (typeof targetNames)[number]

export type Options = {
  seconds: number
  warmupSeconds: number
  rounds: number
  clients: number
  books: number
  runtime: Runtime
  only: WorkloadName[]
  targets: TargetName[]
  check: boolean
  keep: boolean
}

export const help = `npm run bench -- [options]

Starts a private Postgres and Redis, the three services and the row-lock baseline, drives them in turn with a
closed loop of clients, and prints what each of them decided. Ends with 1 when the books do not add up.

  --seconds N       measured time of each run (10)
  --warmup N        seconds of load before it (2)
  --rounds N        how often each workload is run, baseline and product in turn (3)
  --clients N       clients of the workloads that have many (256)
  --books N         books of the workload "many" (10000)
  --runtime NAME    node or deno, for services and baseline (node)
  --only NAMES      a comma-separated choice of ${workloadNames.join(', ')}
                    (${workloadNames.filter((name) => name !== 'echo').join(', ')}); "echo" shows what the client costs
  --targets NAMES   a comma-separated choice of ${targetNames.join(', ')} (both)
  --check           end with 1 also when a goal is missed
  --keep            keep data and logs of the run in .data
  --help            this text
`

/** @throws with a line for the user when an option is not understood. Undefined: help was asked for. */
export function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '10' },
      warmup: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      clients: { type: 'string', default: '256' },
      books: { type: 'string', default: '10000' },
      runtime: { type: 'string', default: 'node' },
      only: { type: 'string', default: workloadNames.filter((name) => name !== 'echo').join(',') },
      targets: { type: 'string', default: targetNames.join(',') },
      check: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    seconds: numberWithin('seconds', values.seconds, 0.1, 3600),
    warmupSeconds: numberWithin('warmup', values.warmup, 0, 600),
    rounds: Math.round(numberWithin('rounds', values.rounds, 1, 100)),
    clients: Math.round(numberWithin('clients', values.clients, 1, 10_000)),
    books: Math.round(numberWithin('books', values.books, 1, 1_000_000)),
    runtime: oneOf('runtime', values.runtime, ['node', 'deno'] as const),
    only: someOf('only', values.only, workloadNames),
    targets: someOf('targets', values.targets, targetNames),
    check: values.check,
    keep: values.keep,
  }
}

function numberWithin(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(value >= min && value <= max))
    throw new Error(`--${name} must be a number from ${min} to ${max}: ${text}`)
  return value
}

const someOf = <Name extends string>(option: string, text: string, names: readonly Name[]): Name[] =>
  text.split(',').map((name) => oneOf(option, name.trim(), names))

function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text)
  if (!found) throw new Error(`--${option} must be one of ${names.join(', ')}: ${text}`)
  return found
}
