/** The runs: targets in turn. Each finishes its background work before the next one starts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { growthOf, type Weight } from './bytes.ts'
import { runClosedLoop } from './closed-loop.ts'
import { progress } from './progress.ts'
import { median, type Run } from './report.ts'
import type { Store } from './stores.ts'
import type { Target } from './target.ts'
import { requestsOf, type Timing, type Workload, wantedOf } from './workloads.ts'

/** Longer than any `Prefer: wait` and any timeout of the services. */
const graceMs = 35_000
const settleStepMs = 250
/** Accepted reservations may take longer to be decided than the run itself. */
const settleMaxMs = 120_000
/** A target is idle if it uses less than this share of a core in one step, plus its own idle use times the margin. */
const idleShare = 0.1
const idleMargin = 1.3
const idleSteps = 9

export type Stage = {
  timing: Timing
  rounds: number
  workloads: Workload[]
  targets: Target[]
  stores: Store[]
  /** Measures the content of the stores, if wanted. */
  weigh?(): Promise<Weight>
  signal: AbortSignal
}

/** @returns all runs until the end or the signal. */
export async function runRounds(stage: Stage): Promise<Run[]> {
  const { rounds, workloads, targets, stores, signal } = stage
  const runs: Run[] = []
  const idle = new Map<Target, number>()
  for (const target of targets) idle.set(target, await idleOf(target, stores))
  for (let round = 0; round < rounds; round++)
    for (const workload of workloads) {
      const chosen = targets.filter((target) => takes(target, workload))
      // The order alternates, so that no target always goes first.
      for (const target of round % 2 ? chosen.toReversed() : chosen) {
        if (signal.aborted) return runs
        progress(`round ${round + 1} of ${rounds}: ${workload.title}: ${target.name}`)
        runs.push(await runOnce(stage, workload, target, idle.get(target)))
      }
    }
  return runs
}

/** The echo only has its own workload, and only the product, in any version, can accept without deciding. */
function takes({ name }: Target, workload: Workload): boolean {
  if (workload.name === 'echo' || name === 'echo') return workload.name === name
  return workload.name !== 'accept' || name === 'product' || name === 'before'
}

/** @param idle the share of a core that the target uses without load. */
export async function runOnce(
  { timing, stores, weigh, signal }: Pick<Stage, 'timing' | 'stores' | 'weigh' | 'signal'>,
  workload: Workload,
  target: Target,
  idle = 0,
): Promise<Run> {
  if (target.prepare) {
    await target.prepare(workload, timing)
    await settle(target, stores, idle)
  }
  const processes = [...target.processes, ...stores]
  const weight = await weigh?.()
  const before = processes.map((it) => it.usage().cpuMs)
  const load = await runClosedLoop({
    host: '127.0.0.1',
    port: target.port,
    clients: workload.clients,
    warmupMs: timing.warmupSeconds * 1000,
    measuredMs: timing.seconds * 1000,
    graceMs,
    request: requestsOf(workload, target),
    wanted: wantedOf(workload, target),
    signal,
  })
  const catchUpMs = await settle(target, stores, idle)
  const cpuMicros: Record<string, number> = {}
  for (const [index, { name, usage }] of processes.entries())
    cpuMicros[name] = ((usage().cpuMs - before[index]!) * 1000) / Math.max(1, load.sent)
  cpuMicros.client = load.clientCpuMicros
  const growth = weight && weigh && growthOf(weight, await weigh(), load.sent)
  return {
    workload: workload.name,
    target: target.name,
    load,
    cpuMicros,
    catchUpMs,
    ...(growth && { growth }),
  }
}

/** Waits until target and stores are idle. @returns how long that took. */
export async function settle(target: Target, stores: Store[], idle = 0): Promise<number> {
  const used = usedBy(target, stores)
  const startedAt = performance.now()
  for (let before = used(); performance.now() - startedAt < settleMaxMs; ) {
    await sleep(settleStepMs)
    const now = used()
    if (now - before < settleStepMs * (idleShare + idleMargin * idle)) break
    before = now
  }
  return Math.max(0, performance.now() - startedAt - settleStepMs)
}

/** @returns the share of a core that is used without load: the median of some steps. */
export async function idleOf(target: Target, stores: Store[]): Promise<number> {
  const used = usedBy(target, stores)
  const shares: number[] = []
  for (let before = used(); shares.length < idleSteps; ) {
    await sleep(settleStepMs)
    const now = used()
    shares.push((now - before) / settleStepMs)
    before = now
  }
  return median(shares)
}

/** The share of a core that each process uses, by name. */
export type Shares = Record<string, number>

/** Measures for `seconds`. */
export async function sharesUsed(target: Target, stores: Store[], seconds: number): Promise<Shares> {
  const processes = [...target.processes, ...stores]
  const [before, since] = [processes.map((it) => it.usage().cpuMs), performance.now()]
  await sleep(seconds * 1000)
  const elapsedMs = performance.now() - since
  return Object.fromEntries(
    processes.map(({ name, usage }, index) => [name, (usage().cpuMs - before[index]!) / elapsedMs]),
  )
}

function usedBy(target: Target, stores: Store[]): () => number {
  const processes = [...target.processes, ...stores]
  return () => processes.reduce((sum, it) => sum + it.usage().cpuMs, 0)
}
