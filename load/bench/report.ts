/** The results of the rounds: medians and tables. Pure. */
import type { Growth } from './bytes.ts'
import type { LoadResult } from './closed-loop.ts'
import type { Workload } from './workloads.ts'

export type Run = {
  workload: string
  target: string
  load: LoadResult
  /** CPU per sent request, by process, including work after the last answer. */
  cpuMicros: Record<string, number>
  /** How long the processes kept working after the last answer. */
  catchUpMs: number
  /** The growth of the stores per sent request. */
  growth?: Growth
}

/** The table of a workload: one line per target. */
export function tableOf(runs: Run[], workload: Workload): string {
  const targets = [...new Set(runs.filter((run) => run.workload === workload.name).map((run) => run.target))]
  const lines = targets.sort().map((target) => {
    const loads = loadsOf(runs, workload.name, target)
    const column = (figure: (load: LoadResult) => number) => loads.map(figure)
    const perSecond = column((load) => load.perSecond)
    return [
      target,
      count(median(perSecond)),
      `${count(Math.min(...perSecond))} to ${count(Math.max(...perSecond))}`,
      median(column((load) => load.p50Ms)).toFixed(2),
      median(column((load) => load.p99Ms)).toFixed(2),
      cpuOf(runs.filter((run) => run.workload === workload.name && run.target === target)),
    ]
  })
  const head = ['', 'decided/s', 'over rounds', 'p50 ms', 'p99 ms', 'CPU µs per request']
  return `${workload.title}\n${align([head, ...lines])}`
}

/** Bytes that the stores wrote and kept: medians of a workload's runs, one line per target. */
export function bytesTableOf(runs: Run[], workload: Workload): string {
  const targets = Map.groupBy(
    runs.filter((run) => run.workload === workload.name && run.growth),
    (run) => run.target,
  )
  const lines = [...targets].sort().map(([target, its]) => {
    const of = (name: keyof Growth, digits = 0) => {
      const known = its.map((run) => run.growth![name]).filter((value) => !Number.isNaN(value))
      return known.length === 0 ? '?' : digits ? median(known).toFixed(digits) : count(median(known))
    }
    const bytes = [of('wal'), of('tables'), of('log'), of('memory')]
    return [target, ...bytes, of('fsyncs', 3), of('transactions', 3), of('commands', 2), '']
  })
  const head = ['for each', 'WAL B', 'tables B', 'AOF B', 'Redis B', 'fsyncs', 'transactions', 'commands', '']
  return align([head, ...lines])
}

/** Medians by process, and how long the work continued after the last answer. */
function cpuOf(runs: Run[]): string {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.cpuMicros)))]
  const parts = names
    .map((name) => ({ name, micros: median(runs.map((run) => run.cpuMicros[name] ?? 0)) }))
    .filter(({ micros }) => micros >= 1)
    .map(({ name, micros }) => `${name} ${micros.toFixed(0)}`)
  const catchUpMs = median(runs.map((run) => run.catchUpMs))
  const sum = median(runs.map(cpuSumOf))
  const rest = parts.length > 2 ? `; without the client ${sum.toFixed(0)}` : ''
  return (
    parts.join(', ') + rest + (catchUpMs >= 1000 ? `; busy ${(catchUpMs / 1000).toFixed(1)} s longer` : '')
  )
}

/** CPU microseconds per request of all processes, including the stores, without the client. */
export const cpuSumOf = ({ cpuMicros: { client: _, ...others } }: Run): number =>
  Object.values(others).reduce((sum, micros) => sum + micros, 0)

/** Answers other than the wanted one, summed over the runs. */
export function othersOf(runs: Run[]): string[] {
  const sums = new Map<string, number>()
  for (const { workload, target, load } of runs)
    for (const [what, times] of Object.entries(load.other)) {
      const key = `${workload}, ${target}: ${what}`
      sums.set(key, (sums.get(key) ?? 0) + times)
    }
  return [...sums].map(([key, times]) => `${key}, ${count(times)} times`)
}

const loadsOf = (runs: Run[], workload: string, target: string) =>
  runs.filter((run) => run.workload === workload && run.target === target).map((run) => run.load)

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function align(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  // Text is left-aligned, numbers are right-aligned.
  const left = (column: number) => column === 0 || column === widths.length - 1
  const cell = (text: string, column: number) =>
    left(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join('   ').trimEnd()}`).join('\n')
}

export const count = (value: number): string => Math.round(value).toLocaleString('en-US')
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
