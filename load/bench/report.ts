/** What the rounds come to: medians, tables. Pure: numbers in, lines out. */
import type { Growth } from './bytes.ts'
import type { LoadResult } from './closed-loop.ts'
import type { Workload } from './workloads.ts'

export type Run = {
  workload: string
  target: string
  load: LoadResult
  /** CPU for each request sent, by process, with what was left to do behind the last answer. */
  cpuMicros: Record<string, number>
  /** How long the processes went on working behind the last answer. */
  catchUpMs: number
  /** What it left in the stores, for each request sent. */
  growth?: Growth
}

/** One workload's table: a line per target. */
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
  const head = ['', 'decided/s', 'over rounds', 'p50 ms', 'p99 ms', 'CPU µs for each']
  return `${workload.title}\n${align([head, ...lines])}`
}

/** Medians by process, and how long the work went on behind the last answer. */
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

/** Microseconds for each request of all processes, including the stores, except the client. */
export const cpuSumOf = ({ cpuMicros: { client: _, ...others } }: Run): number =>
  Object.values(others).reduce((sum, micros) => sum + micros, 0)

/** Answers other than the wanted one, summed over the runs. Empty when there was none. */
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
  // Names and lists read from the left, numbers from the right.
  const left = (column: number) => column === 0 || column === widths.length - 1
  const cell = (text: string, column: number) =>
    left(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join('   ').trimEnd()}`).join('\n')
}

export const count = (value: number): string => Math.round(value).toLocaleString('en-US')
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
