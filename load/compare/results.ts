/** The results of the rounds: a row of medians per contender and situation. Pure. */
import type { Audit } from '../bench/audit.ts'
import type { Pattern } from '../bench/books.ts'
import type { Goal } from '../bench/goals.ts'
import { cpuSumOf, median, type Run } from '../bench/report.ts'
import type { ContenderName } from './contenders.ts'

export type Situation = { pattern: Pattern; clients: number }
export type Measured = Situation & {
  contender: ContenderName
  run: Run
  /** The sum of the peak memory of its own processes at the end of the run. */
  residentBytes: number
}

export type Row = Situation & {
  contender: ContenderName
  rounds: number
  decidedPerSecond: number
  /** The slowest and the fastest round. */
  slowestPerSecond: number
  fastestPerSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU of its processes, Postgres and Redis, including work after the last answer, without the client. */
  cpuSecondsPer1000: number
  residentBytes: number
  /** How long its processes, Postgres and Redis kept working after the last answer. */
  catchUpMs: number
}

export type Results = {
  machine: string
  at: string
  /** The command line that repeats it. */
  command: string
  /** The versions of the contenders, by package. */
  versions: Record<string, string>
  /** How the product was started, for each runtime. */
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
  /** Measurements and audits that failed. */
  failures: string[]
  /** Whether all runs were completed, and all contenders audited. */
  complete: boolean
}

/** In the order in which situations and contenders were first measured. */
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
