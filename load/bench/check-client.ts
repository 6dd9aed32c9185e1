/** Our client and wrk in turn, against the same servers. Both must measure the same throughput. */
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
  baseline: Target
  /** A workload of one book, decided in its request. */
  workload: Workload
  stores: Store[]
  timing: Timing
  rounds: number
  signal: AbortSignal
}

export type Checked = {
  /** The target of a run names its client too. */
  runs: Run[]
  /** All loads of a target, including the warm-up. */
  loads: Map<Target, LoadResult[]>
}

export async function checkClient(options: CheckOptions): Promise<Checked> {
  const { workload, stores, timing, rounds, signal } = options
  const { seconds, warmupSeconds } = timing
  const targets = [options.baseline, options.product]
  const [bookid] = workload.books
  const ours = async (target: Target, seconds: number) =>
    (await runOnce({ timing: { seconds, warmupSeconds: 0 }, stores, signal }, workload, target)).load
  const wrk = async (target: Target, seconds: number) => {
    const load = await runWrk({ port: target.port, clients: workload.clients, seconds, bookid: bookid! })
    await settle(target, stores)
    return { ...load, clientCpuMicros: Number.NaN }
  }
  progress('warm-up')
  const loads = new Map<Target, LoadResult[]>()
  // wrk cannot warm up, so neither client does.
  for (const target of targets) loads.set(target, [await ours(target, Math.max(0.1, warmupSeconds))])
  const steps = targets.flatMap((target) =>
    Object.entries({ ours, wrk }).map((client) => ({ target, client })),
  )
  const runs: Run[] = []
  for (let round = 0; round < rounds; round++)
    for (const { target, client } of round % 2 ? steps.toReversed() : steps) {
      signal.throwIfAborted()
      const [name, measure] = client
      progress(`round ${round + 1} of ${rounds}: ${workload.title}: ${target.name} by ${name}`)
      const load = await measure(target, seconds)
      loads.get(target)!.push(load)
      const by = { workload: workload.name, target: `${target.name} by ${name}` }
      runs.push({ ...by, load, cpuMicros: {}, catchUpMs: 0 })
    }
  return { runs, loads }
}

/** Whether the two clients measure the same throughput of the product. */
export function agreementOf(runs: Run[]): Goal {
  const ratio = ratioOf(runs, 'product by ours', 'product by wrk')
  const most = `${differenceMax * 100} %`
  return {
    text: `our client measures ${ratio.toFixed(2)}x the throughput that wrk measures, within ${most}`,
    met: Math.abs(ratio - 1) <= differenceMax,
  }
}

/** How the product does against the row lock, as each client measures it. */
export const leadsOf = (runs: Run[]): string[] =>
  ['ours', 'wrk'].map((client) => {
    const ratio = ratioOf(runs, `product by ${client}`, `baseline by ${client}`)
    return `by ${client}: the row lock's throughput ${ratio.toFixed(2)}x`
  })

function ratioOf(runs: Run[], one: string, other: string): number {
  const of = (name: string) =>
    median(runs.filter((run) => run.target === name).map(({ load }) => load.perSecond))
  return of(one) / of(other)
}
