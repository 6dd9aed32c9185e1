/** The command line of the benchmark. */
import { parseArgs } from 'node:util'
import { workloadNames } from './workloads.ts'

const targetNames = ['baseline', 'product', 'history'] as const
export type TargetName = (typeof targetNames)[number]

const questionNames = [...workloadNames, 'catch-up', 'idle'] as const
/** A workload, or a measurement outside of the rounds. */
type QuestionName = (typeof questionNames)[number]

/** The default of `--only`. */
const usual: QuestionName[] = ['hot', 'many', 'one']

export type Options = NonNullable<ReturnType<typeof readOptions>>

export const help = `npm run bench -- [options]

Starts a private Postgres and Redis, the three services and the row-lock baseline, drives them in turn with a closed
loop of clients, and prints their throughput and latency. Exits with 1 if the books do not add up.

  --seconds N       measured time of each run (10)
  --warmup N        seconds of load before that (2)
  --rounds N        how often each workload runs, with the targets in turn (3)
  --clients N       clients of the workloads with many (256)
  --books N         books of the workloads with many (10000)
  --runtime NAME    node or deno, for services, baseline and echo (node)
  --only NAMES      a comma-separated choice of ${questionNames.join(', ')} (${usual.join(',')})
  --targets NAMES   a comma-separated choice of ${targetNames.join(', ')} (baseline,product);
                    history is the product with past reservations: see --past
  --past R,B        for history: the number of past reservations and of their books (1000000,100000)
  --stock-workers N processes of stock, which share the partitions (1)
  --queued N        for catch-up: reservations that are accepted while stock is down (100000)
  --reach           everything that the goals need: all workloads, all targets and catch-up
  --before DIR      also measure an earlier version, in this checkout, whose packages are installed
  --check-client    only compare our client with wrk, in turn, on the hot book. Exits with 1 if their throughputs
                    differ by more than 15 %
  --check           exit with 1 also if a goal is missed
  --profile DIR     write CPU profiles of all Node processes, for Chrome or VS Code
  --keep            keep data and logs of the run in .data
  --help            print this text
`

/** Options that comparisons have too. */
export const shared = {
  seconds: { type: 'string', default: '10' },
  warmup: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '3' },
  books: { type: 'string', default: '10000' },
  check: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Shared = Record<'seconds' | 'warmup' | 'rounds' | 'books', string> & Record<'check' | 'keep', boolean>

export const sharedOf = ({ seconds, warmup, rounds, books, check, keep }: Shared) => ({
  seconds: numberWithin('seconds', seconds, 0.1, 3600),
  warmupSeconds: numberWithin('warmup', warmup, 0, 600),
  rounds: integerWithin('rounds', rounds, 1, 100),
  books: integerWithin('books', books, 1, 1_000_000),
  check,
  keep,
})

/** @returns undefined for `--help`. @throws with one line for the user when an option is invalid. */
export function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      ...shared,
      clients: { type: 'string', default: '256' },
      runtime: { type: 'string', default: 'node' },
      only: { type: 'string' },
      targets: { type: 'string' },
      past: { type: 'string', default: '1000000,100000' },
      queued: { type: 'string', default: '100000' },
      'stock-workers': { type: 'string', default: '1' },
      reach: { type: 'boolean', default: false },
      profile: { type: 'string' },
      before: { type: 'string' },
      'check-client': { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { reach } = values
  const only = values.only ?? (reach ? questionNames : usual).join(',')
  const questions = someOf('only', only, questionNames)
  return {
    ...sharedOf(values),
    clients: integerWithin('clients', values.clients, 1, 10_000),
    runtime: oneOf('runtime', values.runtime, ['node', 'deno'] as const),
    only: questions.filter((name) => name !== 'catch-up' && name !== 'idle'),
    catchUp: questions.includes('catch-up'),
    idle: questions.includes('idle'),
    queued: integerWithin('queued', values.queued, 1, 10_000_000),
    stockWorkers: integerWithin('stock-workers', values['stock-workers'], 1, 8),
    targets: someOf(
      'targets',
      values.targets ?? (reach ? targetNames.join(',') : 'baseline,product'),
      targetNames,
    ),
    past: pastOf(values.past),
    profileDir: values.profile,
    /** A source tree with an earlier version, which is measured too. */
    before: values.before,
    checkClient: values['check-client'],
  }
}

function pastOf(text: string): { books: number; reservations: number } {
  const [reservations = '', books = '', ...rest] = text.split(',')
  if (rest.length || !books) throw new Error(`--past must be two numbers, reservations and books: ${text}`)
  return {
    reservations: integerWithin('past', reservations, 1, 100_000_000),
    books: integerWithin('past', books, 1, 10_000_000),
  }
}

export const integerWithin = (name: string, text: string, min: number, max: number): number =>
  Math.round(numberWithin(name, text, min, max))

function numberWithin(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(value >= min && value <= max))
    throw new Error(`--${name} must be a number from ${min} to ${max}: ${text}`)
  return value
}

export const someOf = <Name extends string>(option: string, text: string, names: readonly Name[]): Name[] => [
  ...new Set(text.split(',').map((name) => oneOf(option, name.trim(), names))),
]

export function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text)
  if (!found) throw new Error(`--${option} must be one of ${names.join(', ')}: ${text}`)
  return found
}
