/** The goals of the product, checked within one run. Pure. */
import type { CatchUp } from './catch-up.ts'
import { count, cpuSumOf, median, megabytes, type Run } from './report.ts'
import type { Runtime } from './target.ts'

export type Goal = { text: string; met: boolean }

export type Found = {
  runs: Run[]
  runtime: Runtime
  /** Resident bytes of the services. */
  peaks: Record<string, number>
  catchUp?: CatchUp
  /** Share of a core that product and stores use without load. */
  idle?: number
}

const memoryMax = 200e6
const caughtUpPerSecondMin = 15_000
const idleMax = 0.04
/** CPU of all processes per reservation. */
const cpuMicrosMax = { hot: 190, many: 230 }
/** The maximum relative to the earlier version's CPU: 190 of 291 µs, 230 of 306 µs. */
const cpuLeftMax = { hot: 0.65, many: 0.75 }

type Side = [workload: string, target: string]

/** @returns the goals that the runs cover. */
export function goalsOf({ runs, runtime, peaks, catchUp, idle }: Found): Goal[] {
  const throughput = ({ load }: Run) => load.perSecond
  const p50 = ({ load }: Run) => load.p50Ms
  const p99 = ({ load }: Run) => load.p99Ms
  const against = (figure: (run: Run) => number, name: string, target: string) =>
    ratioOf(runs, figure, [name, 'product'], [name, target])
  const accepted = ratioOf(runs, throughput, ['accept', 'product'], ['echo', 'echo'])
  const past = ratioOf(runs, throughput, ['many', 'history'], ['many', 'product'])
  const cpuGoals = (['hot', 'many'] as const).flatMap((name) => [
    below(`${name}: CPU of one reservation`, medianOf(runs, cpuSumOf, [name, 'product']), cpuMicrosMax[name]),
    atMost(`${name}: the earlier version's CPU`, against(cpuSumOf, name, 'before'), cpuLeftMax[name]),
  ])
  return [
    atLeast("hot: the row lock's throughput", against(throughput, 'hot', 'baseline'), 7),
    atMost("hot: the row lock's p99", against(p99, 'hot', 'baseline'), 0.5),
    atLeast("many: the row lock's throughput", against(throughput, 'many', 'baseline'), 3),
    atMost("one: the row lock's median latency", against(p50, 'one', 'baseline'), 3.3),
    // On Deno a bare echo is twice as fast, so there is no goal.
    runtime === 'node' ? atLeast("accept: a bare echo's throughput", accepted, 0.42) : undefined,
    atLeast('many: the throughput without past reservations', past, 0.85),
    ...cpuGoals,
    ...Object.entries(peaks).map(([service, bytes]) => ({
      text: `${service}: ${megabytes(bytes)} peak memory, below ${megabytes(memoryMax)}`,
      met: bytes < memoryMax,
    })),
    catchUp && {
      text: `catch-up: ${count(catchUp.perSecond)} decided/s, at least ${count(caughtUpPerSecondMin)}`,
      met: catchUp.perSecond >= caughtUpPerSecondMin,
    },
    idle === undefined
      ? undefined
      : {
          text: `idle: ${percent(idle)} of a core, product and stores, below ${percent(idleMax)}`,
          met: idle < idleMax,
        },
  ].filter((goal) => goal !== undefined)
}

const atLeast = (what: string, ratio: number | undefined, least: number): Goal | undefined =>
  ratio === undefined
    ? undefined
    : { text: `${what} ${times(ratio)}, at least ${least}x`, met: ratio >= least }

const atMost = (what: string, ratio: number | undefined, most: number): Goal | undefined =>
  ratio === undefined ? undefined : { text: `${what} ${times(ratio)}, at most ${most}x`, met: ratio <= most }

const below = (what: string, micros: number | undefined, most: number): Goal | undefined =>
  micros === undefined
    ? undefined
    : { text: `${what} ${count(micros)} µs, at most ${most} µs`, met: micros <= most }

/** @returns one side's median over the other's, or undefined when one of them did not run. */
function ratioOf(runs: Run[], figure: (run: Run) => number, one: Side, other: Side) {
  const [left, right] = [medianOf(runs, figure, one), medianOf(runs, figure, other)]
  return left === undefined || right === undefined ? undefined : left / right
}

function medianOf(runs: Run[], figure: (run: Run) => number, [workload, target]: Side): number | undefined {
  const own = runs.filter((run) => run.workload === workload && run.target === target)
  return own.length ? median(own.map(figure)) : undefined
}

const times = (ratio: number) => `${ratio.toFixed(2)}x`
const percent = (share: number) => `${(share * 100).toFixed(1)} %`
