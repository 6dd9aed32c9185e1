/**
 * One run of a scenario: the fault under load; healing, still under load; no more load; quiet; checks. Safety is
 * checked over the whole run, liveness from the moment of healing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Availability, availabilityOf, type Period } from './availability.ts'
import { type Violation, violationsOf } from './checks/all.ts'
import type { Facts } from './checks/check.ts'
import { Day } from './day.ts'
import { gather } from './evidence.ts'
import type { History } from './history.ts'
import { consoleDeliveries, hangs, linesDropped, unheard } from './inbox.ts'
import { untilDecided, untilQuiet } from './quiet.ts'
import { replay } from './replay/replay.ts'
import { measureTrimmed } from './resources.ts'
import type { Scenario } from './scenarios/scenario.ts'
import type { WorldOptions } from './world.ts'

const healedMs = 1_500
const recoveryMaxMs = 30_000
const quietLimitMs = 60_000

export type RunOptions = {
  scenario: Scenario
  seed: number
  /** Longest single fault. */
  secondsMax: number
  world?: WorldOptions
  /** How long to wait for quiet while the remaining work does not become less. */
  quietMaxMs?: number
  /** Whether to keep no data of failures. */
  discard?: boolean
  say(phase: string): void
}

export type Result = {
  scenario: Scenario
  seed: number
  requests: { ok: number; fail: number; unknown: number }
  availability: Availability
  /** From the end of the load until all was quiet. */
  quietMs: number
  violations: Violation[]
  /** Folder of history, logs and data, if they were kept. */
  kept: string | undefined
}

/** Runs a scenario in a new world. */
export async function run(options: RunOptions): Promise<Result> {
  const { scenario, seed, secondsMax, say } = options
  say('starting')
  const { rate, habits } = scenario
  const world = { ...scenario.world, ...options.world }
  await using day = await Day.begin({ seed, secondsMax, world, rate, habits })
  return await hurt(day, options)
}

/** Runs a scenario in a world that may have seen others. */
export async function hurt(day: Day, options: RunOptions): Promise<Result> {
  const { scenario, seed } = options
  const { world, history } = day
  const first = history.calls.length
  try {
    const { availability, quietMs, facts } = await live(day, options)
    const violations = violationsOf(facts)
    if (violations.length > 0 && !options.discard) world.kept = true
    const requests = countEnds(history, first)
    return {
      scenario,
      seed,
      requests,
      availability,
      quietMs,
      violations,
      kept: world.kept ? world.dir : undefined,
    }
  } catch (error) {
    world.kept = true
    throw new Error(`${(error as Error).message}\nHistory, logs and data are in ${world.dir}`, {
      cause: error,
    })
  }
}

async function live(day: Day, { scenario, quietMaxMs = quietLimitMs, say }: RunOptions) {
  const { world, history, requests, workload, stage } = day
  workload.start()
  say(scenario.title)
  stage.note(scenario.title)
  const fault = { from: Date.now(), to: 0 }
  await scenario.fault(stage)
  fault.to = Date.now()
  stage.note('healed')
  say('recovering')
  const [decidedMs] = await Promise.all([untilDecided(world, fault.to, recoveryMaxMs), sleep(healedMs)])
  await workload.stop()

  say('waiting for quiet')
  const stoppedAt = Date.now()
  const unanswered = await requests.insist(history.calls)
  const unfinished = await untilQuiet(world, quietMaxMs)
  const quietMs = Date.now() - stoppedAt
  say('checking')
  const availability = availabilityOf(history.calls, day.normal, fault, decidedMs, day.observer.late)
  const seen = { unanswered, unfinished, availability, needs: scenario.needs, fault }
  return { availability, quietMs, facts: await factsOf(day, seen) }
}

type Seen = Pick<Facts, 'unanswered' | 'unfinished' | 'availability' | 'needs'> & { fault: Period }

async function factsOf(day: Day, seen: Seen): Promise<Facts> {
  const { world, history, stage, observer } = day
  const evidence = await gather(world)
  const remains = ({ at }: { at: number }) => !history.isUndone(at)
  return {
    ...seen,
    evidence,
    replay: replay(evidence.log),
    activeMax: world.activeMax,
    calls: history.calls,
    deliveries: [...world.inbox.deliveries, ...consoleDeliveries(world.processes.notifier)].filter(remains),
    unheard: unheard(world.processes.notifier),
    linesDropped: linesDropped(world.processes.notifier),
    harms: [...stage.harms, ...hangs(world.processes.notifier)],
    poison: stage.poison,
    owners: observer.owners.filter(remains),
    early: observer.early
      .filter((it) => !history.mayShowUndone(it.at) && !stage.slippedIn.has(`${it.partition} ${it.id}`))
      .map(
        ({ partition, id, committed }) =>
          `partition ${partition}: event ${id} was published when ${committed} were committed`,
      ),
    burst: stage.burst,
    replacement: stage.replacement,
    resources: { before: day.before!, after: await measureTrimmed(world) },
    faults: world.all.flatMap((process) => process.faults),
  }
}

function countEnds({ calls }: History, first: number): Result['requests'] {
  const count = (end: string) => calls.slice(first).filter((call) => call.end === end).length
  return { ok: count('ok'), fail: count('fail'), unknown: count('unknown') }
}
