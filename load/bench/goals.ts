/** What the product is to reach, as ratios within one run. Pure. */
import type { CatchUp } from './catch-up.ts'
import type { LoadResult } from './closed-loop.ts'
import { count, median, megabytes, type Run } from './report.ts'
import type { Runtime } from './target.ts'

export type Goal = { text: string; met: boolean }

export type Found = {
  runs: Run[]
  runtime: Runtime
  /** Resident bytes of the product's services. */
  peaks: Record<string, number>
  catchUp?: CatchUp
}

const memoryMax = 150e6
const caughtUpPerSecondMin = 10_000

type Side = [workload: string, target: string]

/** @returns a goal for each that the runs can tell about. */
export function goalsOf({ runs, runtime, peaks, catchUp }: Found): Goal[] {
  const throughput = ({ perSecond }: LoadResult) => perSecond
  const p50 = ({ p50Ms }: LoadResult) => p50Ms
  const p99 = ({ p99Ms }: LoadResult) => p99Ms
  const against = (figure: (load: LoadResult) => number, name: string, target: string) =>
    ratioOf(runs, figure, [name, 'product'], [name, target])
  const accepted = ratioOf(runs, throughput, ['accept', 'product'], ['echo', 'echo'])
  const past = ratioOf(runs, throughput, ['many', 'history'], ['many', 'product'])
  return [
    atLeast(
      "hot: the row lock's throughput",
      against(throughput, 'hot', 'baseline'),
      runtime === 'deno' ? 8 : 6,
    ),
    atMost("hot: the row lock's p99", against(p99, 'hot', 'baseline'), 1),
    atLeast("many: the row lock's throughput", against(throughput, 'many', 'baseline'), 3),
    atMost("one: the row lock's median latency", against(p50, 'one', 'baseline'), 2.5),
    atMost("few: the row lock's median latency", against(p50, 'few', 'baseline'), 1.5),
    // On Deno a bare echo is twice as fast, and no goal is set.
    runtime === 'node' ? atLeast("accept: a bare echo's throughput", accepted, 0.5) : undefined,
    atLeast('many: the throughput without a past', past, 0.9),
    ...Object.entries(peaks).map(([service, bytes]) => ({
      text: `${service}: ${megabytes(bytes)} at its peak, below ${megabytes(memoryMax)}`,
      met: bytes < memoryMax,
    })),
    catchUp && {
      text: `catch-up: ${count(catchUp.perSecond)} decided/s, at least ${count(caughtUpPerSecondMin)}`,
      met: catchUp.perSecond >= caughtUpPerSecondMin,
    },
  ].filter((goal) => goal !== undefined)
}

const atLeast = (what: string, ratio: number | undefined, least: number): Goal | undefined =>
  ratio === undefined
    ? undefined
    : { text: `${what} ${times(ratio)}, at least ${least}x`, met: ratio >= least }

const atMost = (what: string, ratio: number | undefined, most: number): Goal | undefined =>
  ratio === undefined ? undefined : { text: `${what} ${times(ratio)}, at most ${most}x`, met: ratio <= most }

/** @returns one side's median over the other's, or undefined when one of them did not run. */
function ratioOf(runs: Run[], figure: (load: LoadResult) => number, one: Side, other: Side) {
  const of = ([workload, target]: Side) =>
    runs.filter((run) => run.workload === workload && run.target === target).map((run) => figure(run.load))
  const [left, right] = [of(one), of(other)]
  return left.length && right.length ? median(left) / median(right) : undefined
}

const times = (ratio: number) => `${ratio.toFixed(2)}x`
