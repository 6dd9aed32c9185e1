/** Planned operations. Clients that respect `/readyz` see no error. */
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { eventually, range } from '../../doubles/eventually.ts'
import { stranger } from '../population.ts'
import { untilDecided } from '../quiet.ts'
import type { Stage } from '../stage.ts'
import { acceptsAlways, type Needs, type Scenario } from './scenario.ts'

const unnoticed: Needs = { share: 1, unnoticed: true, decidedMs: 10_000, acceptedMs: 1_000 }

export const rollout: Scenario[] = [
  {
    name: 'rolling-restart',
    title: 'every process is replaced in turn',
    needs: unnoticed,
    async fault(stage) {
      for (const turn of range(2)) {
        for (const service of serviceNames) {
          const process = stage.world.processes[service][turn]!
          stage.note(`SIGTERM of ${process.name}`)
          await process.stop()
          await process.start()
          await allReady(stage)
        }
      }
    },
  },
  {
    name: 'update',
    title: 'an older version is upgraded to this one, rolled back, and upgraded again; then books have rules',
    fromOlder: true,
    needs: unnoticed,
    async fault(stage) {
      const { world } = stage
      const { knowsRules } = world
      stage.note('migrating')
      await world.migrate()
      for (const tree of [undefined, world.older, undefined]) {
        // In any order, because services are deployed independently.
        for (const service of stage.random.shuffled([...serviceNames])) {
          for (const process of world.processes[service].filter(({ running }) => running)) {
            const next = await world.add(service, tree)
            stage.note(`${next.name} of the ${tree ? 'older' : 'newer'} version for ${process.name}`)
            await process.stop()
            await stage.seconds(stage.random.between(0.2, 1.5))
          }
        }
      }
      await redriveEntries(stage)
      // Until now a process of the older version could have met them.
      if (!knowsRules) await stage.setRules()
      stage.note('books have rules')
      await stage.seconds(5)
    },
  },
  {
    name: 'stock-rolled-back',
    title: 'stock ends under a rush, and an older version takes over its mailboxes, with what it cannot read',
    fromOlder: true,
    needs: acceptsAlways,
    async fault(stage) {
      const { world, requests, random } = stage
      await world.migrate()
      for (const service of serviceNames) await replaceAll(stage, service)
      const stocks = world.processes.stock.filter(({ running }) => running)
      stage.note('SIGKILL of stock, and a rush')
      await Promise.all(stocks.map((it) => it.kill()))
      const books = range(300).map(() => `book-${random.below(8)}`)
      await Promise.all(books.map((bookid) => requests.make({ kind: 'reserve', bookid, userid: stranger })))
      await world.add('stock', world.older)
      const seconds = (await untilDecided(world, Date.now(), 30_000)) / 1_000
      stage.note(`the older stock has decided all after ${seconds} s`)
      await replaceAll(stage, 'stock')
      await redriveEntries(stage)
    },
  },
  {
    name: 'scaling',
    title: 'stock and reservation go from one process to three, and back to one',
    world: { processes: 1 },
    needs: unnoticed,
    async fault(stage) {
      const scaled = ['reservation', 'stock'] as const
      for (const service of scaled) for (const _ of range(2)) await stage.world.add(service)
      stage.note('three processes each')
      await stage.seconds(2)
      for (const service of scaled) {
        const some = stage.random.shuffled(stage.world.processes[service]).slice(0, 2)
        for (const process of some) {
          stage.note(`SIGTERM of ${process.name}`)
          await process.stop()
        }
      }
      await stage.seconds(1)
    },
  },
]

/** Replaces the processes of a service by one of this version. */
async function replaceAll({ world }: Stage, service: ServiceName): Promise<void> {
  const before = world.processes[service].filter(({ running }) => running)
  await world.add(service)
  for (const process of before) await process.stop()
}

/**
 * Stock of a version that reads one message per entry has set whole entries aside. Once their commands, which were sent again, are
 * decided, redriving them changes nothing.
 */
async function redriveEntries(stage: Stage): Promise<void> {
  if ((await untilDecided(stage.world, Date.now(), 60_000)) === Number.POSITIVE_INFINITY) return
  const { count } = await stage.world.sql`
    update stock.dead_letter set redrive = true where reason like '%Cannot handle an entry with%'`
  stage.note(`redriving ${count} entries that the older version has set aside`)
}

const allReady = ({ world }: Stage) =>
  eventually(() => serviceNames.every((service) => world.balancers[service].all()), { timeoutMs: 20_000 })
