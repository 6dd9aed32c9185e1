/** Service processes die at the worst moment: between two steps that belong together. */
import type { ServiceName } from '../../../platform/config.ts'
import type { Stage } from '../stage.ts'
import { untilSheltered } from './processes.ts'
import type { Scenario } from './scenario.ts'

const points: { point: string; service: ServiceName; title: string }[] = [
  { point: 'before-publish', service: 'stock', title: 'stock dies after its commit, before it publishes' },
  {
    point: 'after-publish',
    service: 'stock',
    title: 'stock dies after publishing, before its group shows that',
  },
  {
    point: 'before-send',
    service: 'reservation',
    title: 'reservation dies after accepting, before it sends',
  },
  {
    point: 'after-mail',
    service: 'notifier',
    title: 'the notifier dies after the 250, before it records that',
  },
  {
    point: 'after-print',
    service: 'notifier',
    title: 'the notifier dies right after recording that it has printed notices',
  },
]

export const crashPoints: Scenario[] = points.map(({ point, service, title }) => ({
  name: `crash-${point}`,
  title,
  world: { preload: `tests/faults/crash/${point}.ts` },
  needs:
    service === 'reservation'
      ? { share: 0.99, afterRetry: true, decidedMs: 10_000, acceptedMs: 5_000 }
      : { share: 0.999, fast: true, decidedMs: 10_000 },
  async fault(stage) {
    for (let times = 0; times < 3; times++) {
      if (service === 'notifier') await stage.harm('notifier', () => crashOne(stage, service, point))
      else await crashOne(stage, service, point)
      await stage.seconds(1 + untilSheltered(service))
    }
  },
}))

async function crashOne(stage: Stage, service: ServiceName, point: string): Promise<void> {
  const process = stage.anyOf(service)
  await process.crash('SIGUSR2')
  stage.note(`${process.name} ended ${point}`)
  await process.start()
}
