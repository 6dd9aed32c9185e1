/** Our client and wrk in turn, against the same product. Both must measure the same throughput. */
import type { LoadResult } from './closed-loop.ts'
import type { Goal } from './goals.ts'
import { progress } from './progress.ts'
import { median, type Run } from './report.ts'
import { runOnce, settle } from './rounds.ts'
import type { Store } from './stores.ts'
import type { Target } from './target.ts'
import type { Timing, Workload } from './workloads.ts'
import { runWrk } from './wrk.ts'

const differenceMax = 0.15

export type CheckOptions = {
  product: Target
  /** A workload of one book, decided in its request. */
  workload: Workload
  stores: Store[]
  timing: Timing
  rounds: number
  signal: AbortSignal
}

export type Checked = {
  /** The target of a run names its client. */
  runs: Run[]
  /** All loads, including the warm-up. */
  loads: LoadResult[]
  goal: Goal
}

export async function checkClient(options: CheckOptions): Promise<Checked> {
  const { product, workload, stores, timing, rounds, signal } = options
  const { seconds, warmupSeconds } = timing
  const stage = { timing: { seconds, warmupSeconds: 0 }, stores, signal }
  const { port } = product
  const [bookid] = workload.books
  const clients = {
    ours: async () => (await runOnce(stage, workload, product)).load,
    wrk: async () => {
      const load = await runWrk({ port, clients: workload.clients, seconds, bookid: bookid! })
      await settle(product, stores)
      return { ...load, clientCpuMicros: Number.NaN }
    },
  }
  progress('warm-up')
  // wrk cannot warm up, so neither client does.
  const warm = { ...stage, timing: { seconds: Math.max(0.1, warmupSeconds), warmupSeconds: 0 } }
  const loads = [(await runOnce(warm, workload, product)).load]
  const runs: Run[] = []
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 ? (['wrk', 'ours'] as const) : (['ours', 'wrk'] as const)) {
      signal.throwIfAborted()
      progress(`round ${round + 1} of ${rounds}: ${workload.title}: ${name}`)
      const load = await clients[name]()
      loads.push(load)
      runs.push({ workload: workload.name, target: name, load, cpuMicros: {}, catchUpMs: 0 })
    }
  return { runs, loads, goal: agreementOf(runs) }
}

/** Whether the two clients measure the same throughput. */
export function agreementOf(runs: Run[]): Goal {
  const of = (name: string) =>
    median(runs.filter((run) => run.target === name).map(({ load }) => load.perSecond))
  const ratio = of('ours') / of('wrk')
  const most = `${differenceMax * 100} %`
  return {
    text: `our client measures ${ratio.toFixed(2)}x the throughput that wrk measures, within ${most}`,
    met: Math.abs(ratio - 1) <= differenceMax,
  }
}
