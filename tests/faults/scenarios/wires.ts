/** Network faults: lost replies, and links that are silent in one or both directions. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import type { Direction } from '../../doubles/tcp-proxy.ts'
import { TcpProxy } from '../../doubles/tcp-proxy.ts'
import { untilNotified } from '../quiet.ts'
import type { Stage } from '../stage.ts'
import type { StoreName } from '../world.ts'
import { acceptsAlways, type Needs, type Scenario } from './scenario.ts'

/** Within this time dead connections are replaced, and the work that waited for them is done. */
const replacedMs = 15_000

export const wires: Scenario[] = [
  {
    name: 'replies-swallowed',
    title: 'replies of Postgres, Redis and the services are lost together with their connections',
    world: { wired: true },
    needs: { share: 0.9, afterRetry: true, decidedMs: 10_000, acceptedMs: 5_000 },
    async fault(stage) {
      await Promise.all([stage.often(8, 150, () => swallowOne(stage)), swallowAnswers(stage)])
    },
  },
  {
    name: 'redis-silent',
    title: 'the links of processes to Redis are silent, in one or both directions',
    world: { wired: true },
    needs: acceptsAlways,
    fault: (stage) => silence(stage, 'redis'),
  },
  {
    name: 'postgres-silent',
    title: 'the links of processes to Postgres are silent, in one or both directions',
    world: { wired: true },
    needs: {
      share: 0.95,
      afterRetry: true,
      promptMs: 2_500,
      only503: true,
      acceptedMs: 5_000,
      decidedMs: 30_000,
    },
    fault: (stage) => silence(stage, 'postgres'),
  },
  ...serviceNames.flatMap((service) =>
    (['redis', 'postgres'] as const).map(
      (store): Scenario => ({
        name: `${service}-${store}-abandoned`,
        title: `the connections of every ${service} to ${store} die silently and permanently; new ones work`,
        world: { wired: true },
        // Waiting work is done as soon as possible, and must not find a machine that is already busy.
        rate: 40,
        needs: { ...needsOf(service, store), replacedMs },
        fault: (stage) => abandon(stage, service, store),
      }),
    ),
  ),
]

function needsOf(service: ServiceName, store: StoreName): Needs {
  const accepting = service === 'reservation' && store === 'postgres'
  return accepting ? { promptMs: 2_500, only503: true } : { share: 0.999, fast: true }
}

const patienceMs = 500

async function swallowOne({ world, random }: Stage): Promise<void> {
  const wires = random.pick([...world.wires.values()])
  const swallowed = wires[random.chance(0.6) ? 'postgres' : 'redis'].swallowReply()
  await Promise.race([swallowed, sleep(patienceMs)])
}

/** A client that loses responses, and repeats its requests with the same key. */
async function swallowAnswers(stage: Stage): Promise<void> {
  const { world, requests, random } = stage
  await using wire = await TcpProxy.start(world.processes.reservation[0]!.url)
  const lossy = world.lossyClient('reservation', wire)
  await stage.often(8, 300, async () => {
    const swallowed = wire.swallowReply((bytes) => bytes.includes('POST'))
    const key = `lost-${random.below(2 ** 31)}`
    const call = requests.make({ kind: 'reserve', bookid: 'book-1', userid: 'reader-1', key }, lossy)
    await Promise.all([call, Promise.race([swallowed, sleep(patienceMs)])])
  })
}

const ways: Direction[][] = [['requests'], ['replies'], ['requests', 'replies']]

/** One process of each service in turn, for longer than a command may take. */
async function silence(stage: Stage, store: StoreName): Promise<void> {
  for (const service of stage.random.shuffled(serviceNames)) {
    const process = stage.anyOf(service)
    const wire = stage.world.wires.get(process)![store]
    const way = stage.random.pick(ways)
    const seconds = stage.random.pick([1, 3, 6])
    stage.note(`${way.join(' and ')} between ${process.name} and ${store} are held back for ${seconds} s`)
    const silenced = async () => {
      wire.silence(...way)
      await stage.seconds(seconds)
      wire.restore()
    }
    // It may not be able to record notices that it has printed.
    if (service === 'notifier' && store === 'postgres') await stage.harm('notifier', silenced)
    else await silenced()
  }
}

/** Reservations made this long afterwards must be handled in time, too. */
const stillMs = 4_000
const afterwardsMs = 3_000

async function abandon(stage: Stage, service: ServiceName, store: StoreName): Promise<void> {
  const { world } = stage
  const wires = world.processes[service].map((process) => world.wires.get(process)![store])
  const die = async () => {
    const at = Date.now()
    for (const wire of wires) wire.abandon()
    await sleep(stillMs)
    const workedAfterMs = await untilNotified(world, at + stillMs, 3 * replacedMs)
    stage.replacement = { at, workedAfterMs: workedAfterMs + stillMs }
    await sleep(Math.max(0, at + replacedMs + afterwardsMs - Date.now()))
  }
  // It may not be able to record notices that it has printed.
  if (service === 'notifier' && store === 'postgres') await stage.harm('notifier', die)
  else await die()
  for (const wire of wires) wire.reap()
}
