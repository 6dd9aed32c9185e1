/** The runs themselves: targets in turn, each left to finish what it put off before the next begins. */
import { setTimeout as sleep } from 'node:timers/promises'
import { growthOf, type Weight } from './bytes.ts'
import { runClosedLoop } from './closed-loop.ts'
import { progress } from './progress.ts'
import { median, type Run } from './report.ts'
import type { Store } from './stores.ts'
import type { Target } from './target.ts'
import { requestsOf, type Workload, wantedOf } from './workloads.ts'

/** Longer than any `Prefer: wait` and any timeout of the services. */
const graceMs = 35_000
const settleStepMs = 250
/** What was only accepted may take as long again to be decided, and longer. */
const settleMaxMs = 120_000
/** Less than this share of a core, over one step, is idling; of what polls when idle, so much more than that. */
const idleShare = 0.1
const idleMargin = 1.3
const idleSteps = 9

export type Timing = { seconds: number; warmupSeconds: number }

export type Stage = {
  timing: Timing
  rounds: number
  workloads: Workload[]
  targets: Target[]
  stores: Store[]
  /** Asks the stores what they hold by now. Absent: nobody wants to know. */
  weigh?(): Promise<Weight>
  signal: AbortSignal
}

/** @returns the runs that were made until the end or the signal. */
export async function runRounds(stage: Stage): Promise<Run[]> {
  const { rounds, workloads, targets, stores, signal } = stage
  const runs: Run[] = []
  const idle = new Map<Target, number>()
  for (const target of targets) idle.set(target, await idleOf(target, stores))
  for (let round = 0; round < rounds; round++)
    for (const workload of workloads) {
      const chosen = targets.filter((target) => takes(target, workload))
      // Who goes first changes with the round: neither always finds the machine fresh.
      for (const target of round % 2 ? chosen.toReversed() : chosen) {
        if (signal.aborted) return runs
        progress(`round ${round + 1} of ${rounds}: ${workload.title}: ${target.name}`)
        runs.push(await runOnce(stage, workload, target, idle.get(target)))
      }
    }
  return runs
}

/** The echo answers nothing else, and only the product, of any version, can accept without deciding. */
function takes({ name }: Target, workload: Workload): boolean {
  if (workload.name === 'echo' || name === 'echo') return workload.name === name
  return workload.name !== 'accept' || name === 'product' || name === 'before'
}

/** @param idle the share of a core that the target uses when it has nothing to do. */
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
    cpuMicros[name] = ((usage().cpuMs - before[index]!) * 1000) / Math.max(1, load.asked)
  cpuMicros.client = load.clientCpuMicros
  const growth = weight && weigh && growthOf(weight, await weigh(), load.asked)
  return {
    workload: workload.name,
    target: target.name,
    load,
    cpuMicros,
    catchUpMs,
    ...(growth && { growth }),
  }
}

/** Waits until nobody works any more. @returns for how long somebody did. */
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

/** @returns the share of a core that is used when nobody asks anything: the median of some steps. */
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

/** The share of a core that each process uses, by its name. */
export type Shares = Record<string, number>

/** Measures for so many seconds. */
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
