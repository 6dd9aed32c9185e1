/** Goals relative to other contenders, at the largest number of clients. Pure. */
import type { Pattern } from '../bench/books.ts'
import type { Goal } from '../bench/goals.ts'
import type { ContenderName } from './contenders.ts'
import type { Row } from './results.ts'

type Wanted = {
  ours: ContenderName
  other: ContenderName
  pattern: Pattern
  throughputMin: number
  p99Max?: number
}

const wanted: Wanted[] = [
  { ours: 'ours-node', other: 'row-lock', pattern: 'hot', throughputMin: 7, p99Max: 0.5 },
  { ours: 'ours-deno', other: 'row-lock', pattern: 'hot', throughputMin: 7, p99Max: 0.5 },
  { ours: 'ours-node', other: 'restate', pattern: 'hot', throughputMin: 20 },
  { ours: 'ours-node', other: 'row-lock', pattern: 'even', throughputMin: 3 },
  { ours: 'ours-deno', other: 'row-lock', pattern: 'even', throughputMin: 3 },
]

/** @returns the goals whose two contenders were both measured. */
export function goalsOf(rows: Row[]): Goal[] {
  return wanted.flatMap(({ ours, other, pattern, throughputMin, p99Max }) => {
    const clients = Math.max(...rows.filter((it) => it.pattern === pattern).map((it) => it.clients))
    const rowOf = (name: ContenderName) =>
      rows.find((it) => it.pattern === pattern && it.clients === clients && it.contender === name)
    const [left, right] = [rowOf(ours), rowOf(other)]
    if (!left || !right) return []
    const text = (ratio: number, what: string) =>
      `${pattern}, ${clients} clients: ${ours} ${ratio.toFixed(2)}x ${other}'s ${what}`
    const throughput = left.decidedPerSecond / right.decidedPerSecond
    const p99 = left.p99Ms / right.p99Ms
    return [
      {
        text: `${text(throughput, 'throughput')}, at least ${throughputMin}x`,
        met: throughput >= throughputMin,
      },
      ...(p99Max === undefined
        ? []
        : [{ text: `${text(p99, 'p99')}, at most ${p99Max}x`, met: p99 <= p99Max }]),
    ]
  })
}
