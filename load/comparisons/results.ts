/** What the rounds come to: a row for each contender in each situation, of medians. Pure. */
import type { Audit } from '../bench/audit.ts'
import type { Pattern } from '../bench/books.ts'
import type { Goal } from '../bench/goals.ts'
import { cpuSumOf, median, type Run } from '../bench/report.ts'
import type { ContenderName } from './contenders.ts'

export type Situation = { pattern: Pattern; clients: number }
export type Measured = Situation & {
  contender: ContenderName
  run: Run
  /** The most that its own processes ever held, summed, when the run was over. */
  residentBytes: number
}

export type Row = Situation & {
  contender: ContenderName
  rounds: number
  decidedPerSecond: number
  /** Over the rounds. */
  slowestPerSecond: number
  fastestPerSecond: number
  p50Ms: number
  p99Ms: number
  /** Of all its processes, Postgres and Redis, with what was left to do behind the last answer; not of the client. */
  cpuSecondsPer1000: number
  residentBytes: number
  /** How long its processes, Postgres and Redis went on working behind the last answer. */
  catchUpMs: number
}

export type Results = {
  machine: string
  at: string
  /** The command line that repeats it. */
  command: string
  /** Of what is compared with, by package. */
  versions: Record<string, string>
  /** How ours was started, for each runtime. */
  launches: string[]
  seconds: number
  warmupSeconds: number
  rounds: number
  books: number
  contenders: { name: ContenderName; title: string; durability: string }[]
  rows: Row[]
  goals: Goal[]
  audits: Audit[]
  /** Answers other than the wanted one. */
  others: string[]
  /** What could not be measured or audited. */
  failures: string[]
  /** Whether every run was made, to its end, and every contender audited. */
  complete: boolean
}

/** In the order of situations and contenders in which they were first measured. */
export function rowsOf(measured: Measured[]): Row[] {
  const groups = Map.groupBy(
    measured,
    ({ pattern, clients, contender }) => `${pattern} ${clients} ${contender}`,
  )
  return [...groups.values()].map((group) => {
    const { pattern, clients, contender } = group[0]!
    // A round without an answer has no latency.
    const of = (figure: (run: Run) => number) =>
      median(group.map(({ run }) => figure(run)).filter(Number.isFinite))
    return {
      ...{ pattern, clients, contender, rounds: group.length },
      decidedPerSecond: of(({ load }) => load.perSecond),
      slowestPerSecond: Math.min(...group.map(({ run }) => run.load.perSecond)),
      fastestPerSecond: Math.max(...group.map(({ run }) => run.load.perSecond)),
      p50Ms: of(({ load }) => load.p50Ms),
      p99Ms: of(({ load }) => load.p99Ms),
      cpuSecondsPer1000: of((run) => cpuSumOf(run) / 1000),
      residentBytes: median(group.map(({ residentBytes }) => residentBytes)),
      catchUpMs: of(({ catchUpMs }) => catchUpMs),
    }
  })
}
