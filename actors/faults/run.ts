/**
 * One scenario, once: normal load; the fault under load; healing, still under load; no more load; quiet; judgement. Safety
 * is judged over all of it, liveness from the moment that all is healed.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../testing/eventually.ts'
import { type Availability, availabilityOf } from './availability.ts'
import { type Violation, violationsOf } from './checks/all.ts'
import { gather } from './evidence.ts'
import { History } from './history.ts'
import { Observer } from './observer.ts'
import { emailOf, Population } from './population.ts'
import { untilDecided, untilQuiet } from './quiet.ts'
import { Random } from './random.ts'
import { replay } from './replay.ts'
import { Requests } from './requests.ts'
import { measure } from './resources.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { Stage } from './stage.ts'
import { Workload } from './workload.ts'
import { World, type WorldOptions } from './world.ts'

const normalMs = 2_000
const healedMs = 1_500
const recoveryMaxMs = 30_000
const quietMaxMs = 60_000
/** Acts a second, where the scenario does not say. */
const rate = 80

export type RunOptions = {
  scenario: Scenario
  seed: number
  /** Longest single fault. */
  secondsMax: number
  world?: WorldOptions
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
  /** Where history, logs and data are, if they were kept. */
  kept: string | undefined
}

export async function run(options: RunOptions): Promise<Result> {
  const { scenario, say } = options
  say('starting')
  await using world = await World.start({ ...scenario.world, ...options.world })
  const history = new History(join(world.dir, 'history.jsonl'))
  try {
    const result = await live(options, world, history)
    world.kept = result.violations.length > 0
    return { ...result, kept: world.kept ? world.dir : undefined }
  } catch (error) {
    world.kept = true
    throw new Error(`${(error as Error).message}\nHistory, logs and data are in ${world.dir}`, {
      cause: error,
    })
  } finally {
    await history.close()
  }
}

async function live(
  { scenario, seed, secondsMax, say }: RunOptions,
  world: World,
  history: History,
): Promise<Omit<Result, 'kept'>> {
  const random = new Random(seed)
  const requests = new Requests(world, history, random.fork())
  const population = new Population(random.fork())
  const { habits } = scenario
  const workload = new Workload({
    requests,
    population,
    random: random.fork(),
    rate: scenario.rate ?? rate,
    ...(habits ? { habits } : {}),
  })
  const stage = new Stage({ world, history, requests, random: random.fork(), secondsMax })
  await introduce(world, population.users)
  await workload.stockUp()
  await using observer = new Observer(world)
  workload.start()

  say('normal load')
  const normal = { from: Date.now(), to: Date.now() + normalMs }
  await sleep(normalMs)
  const before = await measure(world)
  say(scenario.title)
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
  const evidence = await gather(world)
  const availability = availabilityOf(history.calls, normal, fault, decidedMs)
  const violations = violationsOf({
    evidence,
    replay: replay(evidence.log),
    calls: history.calls,
    tellings: world.inbox.tellings,
    harms: stage.harms,
    poison: stage.poison,
    owners: observer.owners,
    unfinished,
    unanswered,
    needs: scenario.needs,
    availability,
    resources: { before, after: await measure(world) },
    burst: stage.burst,
    faults: world.all.flatMap((process) => process.faults),
  })
  return { scenario, seed, requests: countEnds(history), availability, quietMs, violations }
}

/** Every reader has an address and a webhook, so that every outcome is told in every way. */
async function introduce(world: World, users: string[]): Promise<void> {
  await inParallel(users, 4, async (userid) => {
    const contact = { email: emailOf(userid), webhook: world.inbox.webhookUrl }
    const { status, body } = await world.next('notifier').put(`/customers/${userid}`, contact)
    if (status >= 300) throw new Error(`Cannot introduce ${userid}: ${status} ${JSON.stringify(body)}`)
  })
}

function countEnds({ calls }: History): Result['requests'] {
  const count = (end: string) => calls.filter((call) => call.end === end).length
  return { ok: count('ok'), fail: count('fail'), unknown: count('unknown') }
}
