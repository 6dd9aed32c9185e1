/**
 * Postgres is restored from a cold copy of its files, while Redis keeps newer data. Everything in between is undone,
 * and must have no effect afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { restored } from '../../../deploy/ops/restored/main.ts'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import type { ServiceProcess } from '../../harness/service-process.ts'
import type { Stage } from '../stage.ts'
import { partitions, type World } from '../world.ts'
import type { Needs, Scenario } from './scenario.ts'

const needs: Needs = { decidedMs: 30_000, acceptedMs: 10_000 }

/** Length of the time that will be undone. */
const futureMs = 2_500
/** Time until operators who forgot the command see the log. */
const forgottenMs = 3_000
/** Time until the owners have checked their streams. */
const mendedMs = 2_500

type Restore = {
  /** Services that are down during the time that is undone. */
  down?: ServiceName[]
  /** Whether services are killed at its end, instead of stopped. */
  killed?: boolean
  /** Whether services start before the command runs. */
  forgotten?: boolean
  /** The services that start first. */
  first?: ServiceName[]
}

const restores: [name: string, title: string, Restore][] = [
  ['restore-caught-up', 'a backup is restored after all events were consumed', {}],
  ['restore-killed', 'services are killed, and a backup is restored', { killed: true }],
  [
    'restore-stock-down',
    'a backup is restored, and stock was down since it',
    { down: ['stock'], first: ['stock'] },
  ],
  [
    'restore-consumers-down',
    'a backup is restored, and the consumers of events were down since it',
    { down: ['reservation', 'notifier'], first: ['reservation', 'notifier'] },
  ],
  [
    'restore-notifier-down',
    'a backup is restored, and the notifier was down since it',
    { down: ['notifier'] },
  ],
  [
    'restore-forgotten',
    'a backup is restored, and the final command is forgotten for a while',
    { down: ['stock'], forgotten: true, first: ['stock'] },
  ],
]

export const restoring: Scenario[] = restores.map(([name, title, restore]) => ({
  name,
  title,
  needs,
  fault: (stage) => stage.whileNobodyAsks(() => run(stage, restore)),
}))

async function run(stage: Stage, { down = [], killed = false, forgotten = false, first = [] }: Restore) {
  const { world } = stage
  await stage.harm('notifier', async () => {
    await each(world, serviceNames, (process) => process.stop())
    await world.postgres.stop()
    await world.postgres.keepCopy()
    await world.postgres.start()
    const from = Date.now()
    await each(
      world,
      serviceNames.filter((it) => !down.includes(it)),
      (process) => process.start(),
    )
    stage.note(`from here on all is undone; down: ${down.join(', ') || 'none'}`)
    await people(stage)
    await each(world, serviceNames, (process) => (killed ? process.kill() : process.stop()))
    const to = Date.now()
    await world.postgres.stop()
    await world.postgres.restoreCopy()
    await world.postgres.start()
    if (forgotten) {
      stage.note('services start before the command was run')
      await startInOrder(world, first, (process) => process.spawn())
      await sleep(forgottenMs)
      await runCommand(stage)
    } else {
      await runCommand(stage)
      await startInOrder(world, first, (process) => process.start())
    }
    await sleep(mendedMs)
    stage.undo(from, to, Date.now())
  })
}

/** The workload again, with other random numbers. */
async function people(stage: Stage): Promise<void> {
  stage.resume()
  await sleep(futureMs)
  await stage.pause()
}

async function runCommand(stage: Stage): Promise<void> {
  const { url } = stage.world.postgres
  await restored({
    urls: { reservation: url, stock: url, notifier: url },
    redisUrl: stage.world.redis.url,
    redisPrefix: stage.world.redisPrefix,
    partitions,
    log: (line) => stage.note(line),
  })
}

async function startInOrder(
  world: World,
  first: ServiceName[],
  start: (process: ServiceProcess) => Promise<void>,
): Promise<void> {
  await each(world, first, start)
  await each(
    world,
    serviceNames.filter((it) => !first.includes(it)),
    start,
  )
}

async function each(
  world: World,
  services: readonly ServiceName[],
  act: (process: ServiceProcess) => Promise<void>,
): Promise<void> {
  await Promise.all(services.flatMap((service) => world.processes[service].map(act)))
}
